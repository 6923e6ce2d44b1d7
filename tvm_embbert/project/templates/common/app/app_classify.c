/* Classifies lines of token ids that are typed on the console. */
#include "app.h"
#include "app_model.h"
#include "app_port.h"
#include "app_print.h"
#include "app_run.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* Room for the longest sentence, at up to six bytes a token and a space. */
#define LINE_SIZE (7u * (size_t)MODEL_LENGTH + 1u)

static char line[LINE_SIZE];
static int32_t ids[MODEL_LENGTH];

/* Echoes what is typed: terminals show nothing by themselves. Returns false at the console's end. */
static bool read_line(void) {
  size_t size = 0u;
  for (;;) {
    const int byte = app_port_read();
    if (byte == APP_PORT_END) {
      return false;
    }
    if (byte == '\r' || byte == '\n') {
      line[size] = '\0';
      app_print("\n");
      return true;
    }
    if ((byte == '\b' || byte == 0x7F) && size > 0u) {
      --size;
      app_print("\b \b");
    } else if (byte >= ' ' && byte < 0x7F && size + 1u < LINE_SIZE) {
      line[size++] = (char)byte;
      app_port_write(&line[size - 1u], 1u);
    }
  }
}

/* Reads the number at *at, and moves behind it; false if there is none, or none of 32 bits. */
static bool read_number(const char **at, int32_t *number) {
  int64_t value = 0;
  const char *const start = *at;
  for (; **at >= '0' && **at <= '9'; ++*at) {
    value = 10 * value + (**at - '0');
    if (value > INT32_MAX) {
      return false;
    }
  }
  *number = (int32_t)value;
  return *at != start;
}

/* Reads token ids, separated by spaces or commas; returns how many, or -1 for what are none. */
static int32_t read_ids(void) {
  const char *at = line;
  int32_t count = 0;
  for (;;) {
    at += strspn(at, " ,\t");
    if (*at == '\0') {
      return count;
    }
    if (count == MODEL_LENGTH || !read_number(&at, &ids[count])) {
      return -1;
    }
    ++count;
  }
}

static void print_answer(const int16_t *logits) {
  int32_t best = 0;
  for (int32_t i = 1; i < MODEL_OUTPUTS; ++i) {
    best = logits[i] > logits[best] ? i : best;
  }
  app_print(app_labels[best]);
  app_print(" (");
  app_print_signed(logits[best]);
  app_print("), ");
  app_print_unsigned(app_run_count);
  app_print(" ");
  app_print(app_port_unit());
  app_print("\n");
}

static void help(void) {
  app_print("token ids, such as 2 17 35: their label, its logit, what it took\n"
            "selftest, benchmark, help\n");
}

static void classify(void) {
  int16_t logits[MODEL_OUTPUTS];
  const int32_t count = read_ids();
  if (count < 0) {
    app_print("not a list of token ids, or too long; help tells more\n");
    return;
  }
  const int32_t code = app_run(ids, count, logits);
  if (code == 0) {
    print_answer(logits);
  } else {
    app_print("error ");
    app_print_signed(code);
    app_print(" of the model, see its header\n");
  }
}

static void serve_line(void) {
  if (strcmp(line, "selftest") == 0) {
    (void)app_selftest();
  } else if (strcmp(line, "benchmark") == 0) {
    (void)app_benchmark();
  } else if (strcmp(line, "help") == 0) {
    help();
  } else if (line[0] != '\0') {
    classify();
  }
}

int app_classify(void) {
  app_print(MODEL_NAME ": type token ids, or help\n");
  for (;;) {
    app_print("> ");
    if (!read_line()) {
      return 0;
    }
    serve_line();
  }
}
