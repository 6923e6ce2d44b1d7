/* Names of the linker's regions. */
#ifndef STUB_DEVICETREE_REGIONS_H
#define STUB_DEVICETREE_REGIONS_H

#define LINKER_DT_NODE_REGION_NAME_TOKEN(node) DT_STRING_TOKEN(node, zephyr_memory_region)
#define LINKER_DT_NODE_REGION_NAME(node) STRINGIFY(LINKER_DT_NODE_REGION_NAME_TOKEN(node))

#endif
