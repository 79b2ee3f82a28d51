#pragma once

#include <sys/socket.h>
#include <sys/un.h>

// The address of a datagram, as NOTIFY_SOCKET names it (sd_notify(3)).
struct SocketAddress {
  sockaddr_un name;
  socklen_t length;
};

// Reads an absolute path or an abstract "@name". 0, or a negative errno: EAFNOSUPPORT for another kind of address,
// ENAMETOOLONG, EINVAL for one without a name.
int ParseSocketAddress(const char* text, SocketAddress* address);
