// Decimal numbers against strtoull(3). The first byte is the bits of the largest number that is taken.

#include "../../../native/decimal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <string>

#include "expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  uint64_t maximum = UINT64_MAX >> (data[0] % 64);
  const std::string text(std::string(reinterpret_cast<const char*>(data + 1), size - 1).c_str());
  uint64_t value = 7;
  bool taken = ParseDecimal(text.c_str(), maximum, &value);
  bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  errno = 0;
  uint64_t expected = strtoull(text.c_str(), nullptr, 10);
  EXPECT(taken == (digits && errno == 0 && expected <= maximum));
  EXPECT(value == (taken ? expected : 7));
  return 0;
}
