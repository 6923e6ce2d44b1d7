/* What the fake model's two sources share. */
#ifndef FAKE_PARTS_H
#define FAKE_PARTS_H

#include "tvmgen_fake.h"

extern const int16_t fake_weights[TVMGEN_FAKE_NUM_OUTPUTS];
extern const float fake_scales[4];
extern int32_t fake_initialised;
extern int32_t fake_cleared;

#endif
