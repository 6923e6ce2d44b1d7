/* Counts what an inference takes at several lengths. */
#include "app.h"
#include "board.h"

int main(void) {
  board_open();
  return app_benchmark();
}
