/* As much of Unity as the self-test uses; like PlatformIO's it begins Serial itself. */
#ifndef UNITY_H
#define UNITY_H

#include <Arduino.h>

extern int unity_failures;

#define UNITY_BEGIN() Serial.begin(115200)
#define RUN_TEST(test) test()
#define TEST_ASSERT_EQUAL_INT(expected, actual)                                                    \
  do {                                                                                             \
    unity_failures += (expected) == (actual) ? 0 : 1;                                              \
  } while (0)
#define UNITY_END()                                                                                \
  do {                                                                                             \
    Serial.print("failures: ");                                                                    \
    Serial.println(unity_failures);                                                                \
  } while (0)

#endif
