/* Classifies lines of token ids that are typed on the console. */
#include "app.h"
#include "board.h"

int main(void) {
  board_open();
  return app_classify();
}
