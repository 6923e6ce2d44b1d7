/* Read-only data, and some that must be copied and cleared at the start. */
#include "fake_parts.h"

const int16_t fake_weights[TVMGEN_FAKE_NUM_OUTPUTS] = {10, 20, 30, 40, 50, 60, 70};
const float fake_scales[4] = {1.0F, 2.0F, 4.0F, 8.0F};
int32_t fake_initialised = 12345;
int32_t fake_cleared;
