/* As much of Arduino's core as the sketches use, on this machine: Serial is stdin and stdout. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define LED_BUILTIN 13

class SerialStub {
public:
  void begin(unsigned long baud);
  explicit operator bool() const { return true; }
  int available();
  int read();
  size_t write(uint8_t byte);
  size_t write(const uint8_t *bytes, size_t size);
  size_t print(const char *text);
  size_t println(int value);
};

extern SerialStub Serial;

unsigned long micros();
unsigned long millis();
void delay(unsigned long ms);
void yield();
void pinMode(int pin, int mode);
void digitalWrite(int pin, int level);

/* The sketch. */
void setup();
void loop();

#endif
