#pragma once

#include <stdint.h>

// Reads a string of nothing but decimal digits. False when it is another, or more than `maximum`.
inline bool ParseDecimal(const char* text, uint64_t maximum, uint64_t* value) {
  if (*text == '\0') return false;
  uint64_t sum = 0;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    uint64_t digit = static_cast<uint64_t>(*text - '0');
    if (digit > maximum || sum > (maximum - digit) / 10) return false;
    sum = sum * 10 + digit;
  }
  *value = sum;
  return true;
}
