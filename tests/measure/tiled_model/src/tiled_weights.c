/* Constants that are copied to RAM at the start, and one that is read from flash. */
#include "tiled_parts.h"

__attribute__((section(".data.tvmgen_weights"))) const int16_t tiled_weights[] = {100, 200, 300};

const int64_t tiled_offsets[4] = {3, 5, 7, 11};
