#pragma once

#include <stdio.h>
#include <stdlib.h>

// A property that does not hold ends the process, which the fuzzer takes for a find.
#define EXPECT(condition)                                                            \
  do {                                                                               \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                       \
    }                                                                                \
  } while (false)
