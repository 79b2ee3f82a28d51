// NOTIFY_SOCKET's addresses against their grammar, read a second time in another way.

#include "../../../native/socket-address.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <string>

#include "expect.h"

namespace {

int ExpectedOf(const std::string& text) {
  if (text[0] != '/' && text[0] != '@') return -EAFNOSUPPORT;
  if (text.size() < 2) return -EINVAL;
  return text.size() >= sizeof(sockaddr_un::sun_path) ? -ENAMETOOLONG : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(std::string(reinterpret_cast<const char*>(data), size).c_str());
  SocketAddress address;
  memset(&address, 0xa5, sizeof(address));
  int result = ParseSocketAddress(text.c_str(), &address);
  EXPECT(result == ExpectedOf(text));
  if (result != 0) return 0;
  bool abstract = text[0] == '@';
  EXPECT(address.name.sun_family == AF_UNIX);
  EXPECT(address.length == offsetof(sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
  EXPECT(address.length <= sizeof(sockaddr_un));
  EXPECT((address.name.sun_path[0] == '\0') == abstract);
  EXPECT(memcmp(address.name.sun_path + 1, text.data() + 1, text.size() - 1) == 0);
  return 0;
}
