/* Counts what an inference takes at several lengths, every ten seconds. */
#include <Arduino.h>

#include <app.h>

void setup() {
  Serial.begin(115200);
  while (!Serial) {
    delay(10); /* a USB port is there once the monitor opens it */
  }
}

void loop() {
  app_benchmark();
  delay(10000);
}
