/* The stub of Unity. */
#include "unity.h"

int unity_failures;
