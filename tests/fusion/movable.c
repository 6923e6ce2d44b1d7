/* Runs a model once for each line of offsets that it reads, each in a process of its own: a buffer
 * in the wrong place may well crash it. Prints the logits of all sentences, or "crash". */
#include "tvmgen_fused.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern int32_t offsets[];

static _Alignas(16) unsigned char arena[TVMGEN_FUSED_WORKSPACE_POOL_SIZE];

static void answer(int sentences, int32_t (*ids)[TVMGEN_FUSED_MAX_LENGTH], const int *lengths) {
  for (int s = 0; s < sentences; ++s) {
    int16_t logits[TVMGEN_FUSED_NUM_OUTPUTS] = {0};
    memset(arena, 0x55, sizeof(arena));
    if (tvmgen_fused_infer(ids[s], lengths[s], logits, arena, sizeof(arena)) != 0) {
      exit(1);
    }
    for (int i = 0; i < TVMGEN_FUSED_NUM_OUTPUTS; ++i) {
      printf("%d ", logits[i]);
    }
  }
  printf("\n");
  fflush(stdout);
  _exit(0);
}

int main(void) {
  int buffers, sentences;
  if (scanf("%d %d", &buffers, &sentences) != 2 || sentences > 8) {
    return 1;
  }
  static int32_t ids[8][TVMGEN_FUSED_MAX_LENGTH];
  int lengths[8];
  for (int s = 0; s < sentences; ++s) {
    if (scanf("%d", &lengths[s]) != 1) {
      return 1;
    }
    for (int i = 0; i < lengths[s]; ++i) {
      if (scanf("%d", &ids[s][i]) != 1) {
        return 1;
      }
    }
  }
  for (;;) {
    for (int i = 0; i < buffers; ++i) {
      if (scanf("%d", &offsets[i]) != 1) {
        return 0;
      }
    }
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      answer(sentences, ids, lengths);
    }
    int status;
    waitpid(child, &status, 0);
    if (status != 0) {
      printf("crash\n");
    }
  }
}
