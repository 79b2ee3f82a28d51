// The other end of a notification socket, for tests of services: Node has no Unix datagram sockets.

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"
#include "arguments.h"
#include "socket-address.h"

namespace {

// NOTIFY_BUFFER_MAX of systemd, and one byte by which a longer message is known.
constexpr size_t kBuffer = 4097;
// SCM_MAX_FD of the kernel, unix(7).
constexpr size_t kMaximumFds = 253;

// datagram_bind(address: string): a socket that also gets credentials, or a negative errno
napi_value DatagramBind(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Utf8 text;
  if (!text.Append(env, arguments[0])) return nullptr;
  if (text.has_nul()) return Number(env, -EINVAL);
  SocketAddress address;
  int result = ParseSocketAddress(text.data(), &address);
  if (result < 0) return Number(env, result);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Number(env, -errno);
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address.name), address.length) < 0) {
    result = -errno;
    close(fd);
  } else {
    result = fd;
  }
  return Number(env, result);
}

// datagram_receive(fd: number): [text, pid, uid, gid, ...descriptors], never waiting, or a negative errno
napi_value DatagramReceive(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t fd;
  if (!arguments.Int32(0, &fd)) return nullptr;
  char text[kBuffer];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMaximumFds)];
  iovec data = {text, sizeof(text)};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return Number(env, -errno);
  ucred sender = {0, 0, 0};
  int fds[kMaximumFds];
  size_t count = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_CREDENTIALS) memcpy(&sender, CMSG_DATA(header), sizeof(sender));
    if (header->cmsg_type != SCM_RIGHTS) continue;
    count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
  }
  napi_value received = Numbers(env, {0, sender.pid, sender.uid, sender.gid});
  napi_value string;
  napi_create_string_utf8(env, text, static_cast<size_t>(size), &string);
  napi_set_element(env, received, 0, string);
  for (size_t i = 0; i < count; i++) {
    napi_set_element(env, received, static_cast<uint32_t>(4 + i), Number(env, fds[i]));
  }
  return received;
}

}  // namespace

void InitializeDatagramReceiver(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "datagram_bind", DatagramBind);
  ExportFunction(env, exports, "datagram_receive", DatagramReceive);
}
