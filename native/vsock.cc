#include "vsock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

namespace {

constexpr uint32_t kHighestPrivilegedPort = 1023;
constexpr int kCloseTimeout = 5'000;  // milliseconds

bool IsNotSupported(int error) {
  return error == ENODEV || error == EOPNOTSUPP || error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT;
}

int SendAll(int fd, int type, const char* data, size_t size) {
  for (size_t sent = 0; sent < size;) {
    ssize_t count = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    sent += static_cast<size_t>(count);
    if (type == SOCK_SEQPACKET && sent < size) return -EMSGSIZE;
  }
  return 0;
}

int WaitForClose(int fd) {
  pollfd waited = {fd, POLLIN, 0};
  int ready = poll(&waited, 1, kCloseTimeout);
  if (ready < 0) return -errno;
  if (ready == 0) return -ETIMEDOUT;
  char byte;
  ssize_t count = recv(fd, &byte, 1, 0);
  if (count < 0) return -errno;
  return count == 0 ? 0 : -EPROTO;
}

int Converse(int fd, const SocketAddress& address, int type, const char* data, size_t size) {
  int result = BindPrivilegedVsockPort(fd);
  if (result < 0) return result;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) < 0) return -errno;
  result = SendAll(fd, type, data, size);
  if (result < 0) return result;
  if (shutdown(fd, SHUT_WR) < 0) return -errno;
  return WaitForClose(fd);
}

}  // namespace

int VsockTypeThatWorks() {
  int error = 0;
  constexpr int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
  for (int type : types) {
    int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
      close(fd);
      return type;
    }
    error = errno;
    if (!IsNotSupported(error)) break;
  }
  return -error;
}

int BindPrivilegedVsockPort(int fd) {
  VsockAddress own = {};
  own.family = AF_VSOCK;
  own.cid = kVsockAny;
  for (own.port = kHighestPrivilegedPort; own.port > 0; own.port--) {
    if (bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) == 0) return 0;
    if (errno == EACCES || errno == EPERM) return 0;
    if (errno != EADDRINUSE) return -errno;
  }
  return -EADDRINUSE;
}

int SendByVsockConnection(const SocketAddress& address, int type, const char* data, size_t size) {
  int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int result = Converse(fd, address, type, data, size);
  close(fd);
  return result < 0 ? result : 1;
}
