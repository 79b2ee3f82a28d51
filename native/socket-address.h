#pragma once

#include <stdint.h>
#include <sys/socket.h>

// struct sockaddr_vm of vsock(7). Declared here because <linux/vm_sockets.h> is not part of every C library's headers.
struct VsockAddress {
  sa_family_t family;
  uint16_t reserved;
  uint32_t port;
  uint32_t cid;
  uint8_t flags;
  uint8_t zero[3];
};
constexpr uint32_t kVsockAny = UINT32_MAX;  // VMADDR_CID_ANY, VMADDR_PORT_ANY

// Where a datagram goes, as NOTIFY_SOCKET names it (sd_notify(3)).
struct SocketAddress {
  sockaddr_storage storage;
  socklen_t length;
  // SOCK_DGRAM, SOCK_STREAM or SOCK_SEQPACKET; 0 where the address leaves it open ("vsock:").
  int type;

  int family() const { return storage.ss_family; }
};

// Reads an absolute path, an abstract "@name", or "vsock[-dgram|-stream|-seqpacket]:CID:PORT".
// 0, or a negative errno: EAFNOSUPPORT for another kind of address, ENAMETOOLONG, EINVAL for a malformed one.
int ParseSocketAddress(const char* text, SocketAddress* address);
