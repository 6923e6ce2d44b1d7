/* Compares the model with the vectors that it was compiled with, byte for byte. */
#include "app.h"
#include "board.h"

int main(void) {
  board_open();
  return app_selftest();
}
