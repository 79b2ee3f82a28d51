// Datagrams of any content, size and number of descriptors, to one receiver and another: each arrives as it was sent,
// in its order. An input is a series of datagrams: address, descriptors, repetitions, length, and so many bytes.

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "../../../native/datagram-sender.h"
#include "expect.h"

namespace {

struct Receiver {
  std::string address;
  int fd = -1;
};

Receiver Listen(const std::string& name) {
  Receiver receiver;
  receiver.address = "@sd-gateway-fuzz-" + std::to_string(getpid()) + "-" + name;
  SocketAddress address;
  EXPECT(ParseSocketAddress(receiver.address.c_str(), &address) == 0);
  receiver.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int size = 1 << 20;
  setsockopt(receiver.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  EXPECT(bind(receiver.fd, reinterpret_cast<sockaddr*>(&address.name), address.length) == 0);
  return receiver;
}

// Takes the datagram that has just been sent, which is there already.
void Receive(const Receiver& receiver, const std::string& sent, size_t descriptors) {
  static char buffer[1 << 18];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 253)];
  iovec piece = {buffer, sizeof(buffer)};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t size = recvmsg(receiver.fd, &message, MSG_CMSG_CLOEXEC);
  EXPECT(size == static_cast<ssize_t>(sent.size()) && memcmp(buffer, sent.data(), sent.size()) == 0);
  size_t received = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_type != SCM_RIGHTS) continue;
    received = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[253];
    memcpy(fds, CMSG_DATA(header), received * sizeof(int));
    struct stat status;
    for (size_t i = 0; i < received; i++) {
      EXPECT(fstat(fds[i], &status) == 0);
      close(fds[i]);
    }
  }
  EXPECT(received == descriptors);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static DatagramSender* const sender = new DatagramSender(true, SIZE_MAX);
  static const Receiver receivers[] = {Listen("a"), Listen("b")};
  static int pipe_ends[2] = {-1, -1};
  if (pipe_ends[0] < 0) EXPECT(pipe(pipe_ends) == 0);
  while (size >= 4) {
    size_t descriptors = data[1] % 9 == 0 ? data[1] : data[1] % 3;
    size_t repetitions = data[2] % 16 == 0 ? data[2] * 4 : 1;
    size_t length = data[3] < size - 4 ? data[3] : size - 4;
    std::string state;
    for (size_t i = 0; i < repetitions; i++) state.append(reinterpret_cast<const char*>(data + 4), length);
    std::vector<int> fds(descriptors, pipe_ends[0]);
    Datagram datagram = {state.data(), state.size(), fds.data(), fds.size()};
    if (data[0] % 8 == 7) {
      EXPECT(sender->Send("@sd-gateway-fuzz-nobody", datagram) == (descriptors > 253 ? -E2BIG : -ECONNREFUSED));
    } else {
      const Receiver& receiver = receivers[data[0] % 2];
      int result = sender->Send(receiver.address.c_str(), datagram);
      if (descriptors > 253) {
        EXPECT(result < 0);
      } else {
        EXPECT(result == DatagramSender::kSent);
        Receive(receiver, state, descriptors);
      }
    }
    data += 4 + length;
    size -= 4 + length;
  }
  return 0;
}
