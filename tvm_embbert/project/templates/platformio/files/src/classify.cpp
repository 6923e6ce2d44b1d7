/* Classifies lines of token ids that are typed in the serial monitor. */
#include <Arduino.h>

#include <app.h>

void setup() {
  Serial.begin(115200);
  while (!Serial) {
    delay(10); /* a USB port is there once the monitor opens it */
  }
}

void loop() { app_classify(); }
