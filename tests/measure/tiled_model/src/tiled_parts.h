/* What the sources of the tiled model share. */
#ifndef TILED_PARTS_H
#define TILED_PARTS_H

#include "tvmgen_tiled.h"

#define TILED_TILES 40u
#define TILED_ROWS 10u
#define TILED_LONG 1000u
#define TILED_SHORT 5u

extern const int16_t tiled_weights[TVMGEN_TILED_NUM_OUTPUTS];
extern const int64_t tiled_offsets[4];

#endif
