/* A devicetree that chooses a console, and with STUB_ARENA a region for arenas. */
#ifndef STUB_DEVICETREE_H
#define STUB_DEVICETREE_H

#define DT_CHOSEN(property) property

#ifdef STUB_ARENA
#define DT_HAS_CHOSEN(property) 1
#define DT_NODE_HAS_PROP(node, property) 1
#define DT_STRING_TOKEN(node, property) STUB_ARENA
#else
#define DT_HAS_CHOSEN(property) 0
#endif

#endif
