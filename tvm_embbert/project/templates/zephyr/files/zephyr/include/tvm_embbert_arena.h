/* Where the devicetree wants the arenas of models: put TVM_EMBBERT_ARENA before their definition.
 */
#ifndef TVM_EMBBERT_ARENA_H
#define TVM_EMBBERT_ARENA_H

#include <zephyr/devicetree.h>
#include <zephyr/linker/devicetree_regions.h>
#include <zephyr/toolchain.h>

#if DT_HAS_CHOSEN(tvm_embbert_arena)

BUILD_ASSERT(DT_NODE_HAS_PROP(DT_CHOSEN(tvm_embbert_arena), zephyr_memory_region),
             "the chosen node tvm-embbert,arena needs the property zephyr,memory-region");

/* The linker's section of the region; nothing clears it at the start, and the model needs no zeros.
 */
#define TVM_EMBBERT_ARENA                                                                          \
  __attribute__((section(LINKER_DT_NODE_REGION_NAME(DT_CHOSEN(tvm_embbert_arena)))))

#else

/* With all other variables. */
#define TVM_EMBBERT_ARENA

#endif

#endif
