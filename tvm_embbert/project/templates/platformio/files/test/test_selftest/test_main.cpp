/* `pio test`: the model on the board gives the bytes that it was compiled with. */
#include <Arduino.h>

#include <app.h>
#include <unity.h>

void setUp() {}

void tearDown() {}

static void test_vectors() { TEST_ASSERT_EQUAL_INT(0, app_selftest()); }

void setup() {
  delay(2000); /* until the host listens */
  UNITY_BEGIN();
  RUN_TEST(test_vectors);
  UNITY_END();
}

void loop() {}
