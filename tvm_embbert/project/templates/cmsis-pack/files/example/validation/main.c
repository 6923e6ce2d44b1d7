/* Serves the model to the host, whose `tvm-embbert validate` compares every answer. */
#include "board.h"
#include "harness_serve.h"

int main(void) {
  board_open();
  harness_serve();
}
