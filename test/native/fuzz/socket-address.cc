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

// A 32-bit number but the largest, which stands for any.
bool IsNumber(const std::string& text) {
  size_t first = text.find_first_not_of('0');
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return false;
  const std::string digits = first == std::string::npos ? "0" : text.substr(first);
  return digits.size() <= 10 && std::stoull(digits) < UINT32_MAX;
}

int ExpectedOf(const std::string& text) {
  if (text[0] == '/' || text[0] == '@') {
    if (text.size() < 2) return -EINVAL;
    return text.size() >= sizeof(sockaddr_un::sun_path) ? -ENAMETOOLONG : 0;
  }
  size_t first = text.find(':');
  const std::string kind = text.substr(0, first);
  bool vsock = kind == "vsock" || kind == "vsock-dgram" || kind == "vsock-stream" || kind == "vsock-seqpacket";
  if (first == std::string::npos || !vsock) return -EAFNOSUPPORT;
  size_t second = text.find(':', first + 1);
  if (second == std::string::npos) return -EINVAL;
  return IsNumber(text.substr(first + 1, second - first - 1)) && IsNumber(text.substr(second + 1)) ? 0 : -EINVAL;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(std::string(reinterpret_cast<const char*>(data), size).c_str());
  SocketAddress address;
  memset(&address, 0xa5, sizeof(address));
  int result = ParseSocketAddress(text.c_str(), &address);
  EXPECT(result == ExpectedOf(text));
  if (result != 0) return 0;
  EXPECT(address.length <= sizeof(address.storage));
  if (address.family() == AF_UNIX) {
    auto* name = reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
    bool abstract = text[0] == '@';
    EXPECT(address.length == offsetof(sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
    EXPECT(address.length <= sizeof(sockaddr_un));
    EXPECT((name[0] == '\0') == abstract);
    EXPECT(memcmp(name + 1, text.data() + 1, text.size() - 1) == 0);
    EXPECT(address.type == SOCK_DGRAM);
  } else {
    EXPECT(address.family() == AF_VSOCK && address.length == sizeof(VsockAddress));
    const auto* vsock = reinterpret_cast<const VsockAddress*>(&address.storage);
    EXPECT(vsock->reserved == 0 && vsock->flags == 0 && vsock->cid != kVsockAny && vsock->port != kVsockAny);
  }
  return 0;
}
