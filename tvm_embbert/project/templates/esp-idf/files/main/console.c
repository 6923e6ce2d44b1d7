/* Console and counter of the programs, see app_port.h. */
#include "app_port.h"
#include "cycles.h"
#include "line.h"

int app_port_read(void) {
  const int32_t byte = line_read();
  return byte < 0 ? APP_PORT_NOTHING : (int)byte;
}

/* Lines end as terminals want them to. */
void app_port_write(const char *text, size_t size) {
  for (size_t i = 0u; i < size; ++i) {
    if (text[i] == '\n') {
      line_write("\r", 1u);
    }
    line_write(&text[i], 1u);
  }
}

void app_port_count(void) { cycles_start(); }

uint64_t app_port_counted(void) { return cycles_passed(); }

const char *app_port_unit(void) { return "cycles"; }
