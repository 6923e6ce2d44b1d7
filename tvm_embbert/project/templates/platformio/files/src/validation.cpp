/* Serves the model to the host, whose `tvm-embbert validate` compares every answer with the integer
 * reference. Close the serial monitor first: the host needs the port. */
#include <Arduino.h>

#include <harness_serve.h>

void setup() { Serial.begin(115200); }

void loop() { harness_serve(); }
