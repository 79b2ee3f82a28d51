// LISTEN_FDNAMES: the names, put together again, are what they were taken from.

#include "../../../native/descriptor-names.h"

#include <stdint.h>

#include <string>

#include "expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(std::string(reinterpret_cast<const char*>(data), size).c_str());
  const char* rest = text.c_str();
  std::string together;
  int count = CountNames(rest);
  for (int i = 0; i < count; i++) {
    DescriptorName name = NextName(&rest);
    EXPECT(memchr(name.text, ':', name.length) == nullptr);
    together += (i == 0 ? "" : ":") + std::string(name.text, name.length);
  }
  EXPECT(together == text);
  EXPECT(*rest == '\0' && rest == text.c_str() + text.size());
  EXPECT(NextName(&rest).length == 0 && *rest == '\0');
  return 0;
}
