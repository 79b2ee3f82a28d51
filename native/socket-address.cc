#include "socket-address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int ParseSocketAddress(const char* text, SocketAddress* address) {
  memset(address, 0, sizeof(*address));
  if (text[0] != '/' && text[0] != '@') return -EAFNOSUPPORT;
  size_t length = strlen(text);
  if (length < 2) return -EINVAL;
  sockaddr_un& name = address->name;
  // Room for the closing NUL, which an abstract name doesn't need, but libsystemd sets the same limit for both.
  if (length + 1 > sizeof(name.sun_path)) return -ENAMETOOLONG;
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, text, length + 1);
  bool abstract = text[0] == '@';
  if (abstract) name.sun_path[0] = '\0';
  address->length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  return 0;
}
