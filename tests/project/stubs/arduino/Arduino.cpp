/* The stub of Arduino's core, and a main that ends after some rounds of the loop or at stdin's end.
 */
#include "Arduino.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <unistd.h>

SerialStub Serial;

static bool begun;

static void check() {
  if (!begun) {
    std::fputs("Serial was used before it was begun\n", stderr);
    std::exit(70);
  }
}

void SerialStub::begin(unsigned long baud) { begun = baud == 115200; }

int SerialStub::available() {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

int SerialStub::read() {
  check();
  if (!available()) {
    return -1;
  }
  uint8_t byte;
  if (::read(STDIN_FILENO, &byte, 1) != 1) {
    std::exit(0);
  }
  return byte;
}

size_t SerialStub::write(uint8_t byte) { return write(&byte, 1); }

size_t SerialStub::write(const uint8_t *bytes, size_t size) {
  check();
  const ssize_t done = ::write(STDOUT_FILENO, bytes, size);
  return done < 0 ? 0 : static_cast<size_t>(done);
}

size_t SerialStub::print(const char *text) {
  return write(reinterpret_cast<const uint8_t *>(text), std::strlen(text));
}

size_t SerialStub::println(int value) {
  char text[16];
  std::snprintf(text, sizeof(text), "%d\r\n", value);
  return print(text);
}

unsigned long micros() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
  return static_cast<unsigned long>(count);
}

unsigned long millis() { return micros() / 1000; }

void delay(unsigned long ms) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  poll(&input, 1, ms < 5 ? static_cast<int>(ms) : 5);
}

void yield() {}
void pinMode(int, int) {}
void digitalWrite(int, int) {}

int main() {
  setup();
  for (int round = 0; round < 3; ++round) {
    loop();
  }
  return 0;
}
