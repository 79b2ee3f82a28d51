#include "socket-address.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

namespace {

struct VsockKind {
  const char* prefix;
  int type;
};
constexpr VsockKind kVsockKinds[] = {
    {"vsock:", 0},
    {"vsock-dgram:", SOCK_DGRAM},
    {"vsock-stream:", SOCK_STREAM},
    {"vsock-seqpacket:", SOCK_SEQPACKET},
};

// Reads decimal digits up to `end`; false when there are none, another character, or more than 32 bits.
bool ParseUnsigned(const char* text, const char* end, uint32_t* value) {
  if (text == end) return false;
  uint64_t sum = 0;
  for (; text != end; text++) {
    if (*text < '0' || *text > '9') return false;
    sum = sum * 10 + static_cast<uint64_t>(*text - '0');
    if (sum > UINT32_MAX) return false;
  }
  *value = static_cast<uint32_t>(sum);
  return true;
}

int ParseUnix(const char* text, SocketAddress* address) {
  size_t length = strlen(text);
  if (length < 2) return -EINVAL;
  auto* unix_address = reinterpret_cast<sockaddr_un*>(&address->storage);
  // Room for the closing NUL, which an abstract name doesn't need, but libsystemd sets the same limit for both.
  if (length + 1 > sizeof(unix_address->sun_path)) return -ENAMETOOLONG;
  unix_address->sun_family = AF_UNIX;
  memcpy(unix_address->sun_path, text, length + 1);
  address->type = SOCK_DGRAM;
  if (text[0] == '@') {
    unix_address->sun_path[0] = '\0';
    address->length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  } else {
    address->length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
  }
  return 0;
}

int ParseVsock(const char* cid_and_port, SocketAddress* address) {
  auto* vsock_address = reinterpret_cast<VsockAddress*>(&address->storage);
  const char* colon = strchr(cid_and_port, ':');
  if (colon == nullptr || !ParseUnsigned(cid_and_port, colon, &vsock_address->cid) ||
      !ParseUnsigned(colon + 1, colon + strlen(colon), &vsock_address->port)) {
    return -EINVAL;
  }
  if (vsock_address->cid == kVsockAny || vsock_address->port == kVsockAny) return -EINVAL;
  vsock_address->family = AF_VSOCK;
  address->length = sizeof(VsockAddress);
  return 0;
}

}  // namespace

int ParseSocketAddress(const char* text, SocketAddress* address) {
  memset(address, 0, sizeof(*address));
  if (text[0] == '/' || text[0] == '@') return ParseUnix(text, address);
  for (const VsockKind& kind : kVsockKinds) {
    size_t length = strlen(kind.prefix);
    if (strncmp(text, kind.prefix, length) != 0) continue;
    address->type = kind.type;
    return ParseVsock(text + length, address);
  }
  return -EAFNOSUPPORT;
}
