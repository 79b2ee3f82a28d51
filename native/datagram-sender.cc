#include "datagram-sender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "monotonic-time.h"
#include "thread.h"

namespace {

constexpr size_t kMaximumWaiting = 4096;
constexpr size_t kMaximumWaitingBytes = 8 * 1024 * 1024;
// As libsystemd asks for; the kernel gives at most net.core.wmem_max.
constexpr int kSendBuffer = 8 * 1024 * 1024;
// SCM_MAX_FD of the kernel, unix(7).
constexpr size_t kMaximumFds = 253;
// Longest wait of a queued datagram for kernel memory (ENOBUFS), and the pause between the attempts.
constexpr int64_t kBufferPatience = 30'000;
constexpr timespec kBufferPause = {0, 10'000'000};
// Longest wait of a flush, a day in milliseconds.
constexpr int64_t kMaximumFlush = 86'400'000;

// The socket's other end is gone, or the descriptor is no longer ours: a new socket may succeed.
bool IsStale(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN:
    case EPIPE:
    case EDESTADDRREQ:
    case EBADF:
    case ENOTSOCK:
      return true;
    default:
      return false;
  }
}

// Closed by somebody else; the number may by now belong to another file, which is not ours to close.
bool IsForeign(int error) { return error == EBADF || error == ENOTSOCK; }

// The control message of one datagram: descriptors and credentials.
class Control {
 public:
  Control(const Datagram& datagram, msghdr* message) : message_(message) {
    size_t fds_space = datagram.fd_count == 0 ? 0 : CMSG_SPACE(sizeof(int) * datagram.fd_count);
    credentials_space_ = datagram.pid == 0 ? 0 : CMSG_SPACE(sizeof(ucred));
    if (fds_space + credentials_space_ == 0) return;
    memset(buffer_, 0, fds_space + credentials_space_);
    message->msg_control = buffer_;
    message->msg_controllen = fds_space + credentials_space_;
    cmsghdr* header = CMSG_FIRSTHDR(message);
    if (datagram.fd_count != 0) {
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * datagram.fd_count);
      memcpy(CMSG_DATA(header), datagram.fds, sizeof(int) * datagram.fd_count);
      header = CMSG_NXTHDR(message, header);
    }
    if (datagram.pid != 0) {
      ucred credentials = {datagram.pid, getuid(), getgid()};
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_CREDENTIALS;
      header->cmsg_len = CMSG_LEN(sizeof(ucred));
      memcpy(CMSG_DATA(header), &credentials, sizeof(credentials));
    }
  }

  bool has_credentials() const { return credentials_space_ != 0; }

  void DropCredentials() {
    message_->msg_controllen -= credentials_space_;
    if (message_->msg_controllen == 0) message_->msg_control = nullptr;
    credentials_space_ = 0;
  }

 private:
  msghdr* message_;
  size_t credentials_space_;
  alignas(cmsghdr) char buffer_[CMSG_SPACE(sizeof(int) * kMaximumFds) + CMSG_SPACE(sizeof(ucred))];
};

}  // namespace

struct DatagramSender::Waiting {
  Waiting* next = nullptr;
  char* address;
  Datagram datagram;

  // A copy with descriptors of its own; null with errno set when memory or descriptors ran out.
  static Waiting* Copy(const char* address, const Datagram& datagram) {
    size_t fds_size = sizeof(int) * datagram.fd_count;
    size_t address_size = strlen(address) + 1;
    char* memory = static_cast<char*>(malloc(sizeof(Waiting) + fds_size + address_size + datagram.size));
    if (memory == nullptr) return nullptr;
    auto* waiting = reinterpret_cast<Waiting*>(memory);
    auto* fds = reinterpret_cast<int*>(memory + sizeof(Waiting));
    char* address_copy = memory + sizeof(Waiting) + fds_size;
    char* data = address_copy + address_size;
    memcpy(address_copy, address, address_size);
    if (datagram.size != 0) memcpy(data, datagram.data, datagram.size);
    *waiting = Waiting{nullptr, address_copy, {data, datagram.size, fds, 0, datagram.pid, datagram.tells_failure}};
    for (size_t i = 0; i < datagram.fd_count; i++) {
      fds[i] = fcntl(datagram.fds[i], F_DUPFD_CLOEXEC, 3);
      if (fds[i] < 0) {
        int error = errno;
        waiting->Free();
        errno = error;
        return nullptr;
      }
      waiting->datagram.fd_count = i + 1;
    }
    return waiting;
  }

  void TellFailure(int error) {
    auto byte = static_cast<unsigned char>(error);
    // Nobody may be left to read it.
    if (datagram.tells_failure && write(datagram.fds[0], &byte, 1) < 0) return;
  }

  void Free() {
    for (size_t i = 0; i < datagram.fd_count; i++) close(datagram.fds[i]);
    free(this);
  }
};

DatagramSender::DatagramSender(bool wait_for_buffers, size_t maximum_waiting_fds)
    : wait_for_buffers_(wait_for_buffers), maximum_waiting_fds_(maximum_waiting_fds) {
  pthread_mutex_init(&mutex_, nullptr);
  pthread_cond_init(&filled_, nullptr);
  InitializeMonotonicCondition(&drained_);
  address_text_[0] = '\0';
}

int DatagramSender::Send(const char* address, const Datagram& datagram) {
  if (datagram.fd_count > kMaximumFds) return -E2BIG;
  MutexLock lock(&mutex_);
  if (first_ != nullptr) return Enqueue(address, datagram);
  int result = UseAddress(address);
  if (result < 0) return result;
  result = Transmit(datagram, MSG_DONTWAIT);
  if (result == -EAGAIN || (result == -ENOBUFS && wait_for_buffers_)) return Enqueue(address, datagram);
  return result;
}

bool DatagramSender::Flush(int64_t timeout_milliseconds) {
  // A time before or far beyond all times is one that no wait is defined for.
  int64_t timeout = std::clamp<int64_t>(timeout_milliseconds, 0, kMaximumFlush);
  timespec deadline = MonotonicTime(MonotonicMilliseconds() + timeout);
  MutexLock lock(&mutex_);
  while (first_ != nullptr) {
    // It ends at whatever is no wake-up, too: a loop without a wait would hold the processor and the mutex.
    if (pthread_cond_timedwait(&drained_, &mutex_, &deadline) != 0) return first_ == nullptr;
  }
  return true;
}

DatagramSender::QueueState DatagramSender::queue_state() {
  MutexLock lock(&mutex_);
  return {static_cast<int64_t>(waiting_count_), static_cast<int64_t>(failed_count_), last_error_};
}

// Makes `text` the address of the socket to be used. 0, or a negative errno.
int DatagramSender::UseAddress(const char* text) {
  if (address_text_[0] != '\0' && strcmp(text, address_text_) == 0) return 0;
  Close();
  address_text_[0] = '\0';
  int result = ParseSocketAddress(text, &address_);
  if (result < 0) return result;
  strcpy(address_text_, text);
  return 0;
}

int DatagramSender::Open() {
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address_.name), address_.length) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  fd_ = fd;
  return 0;
}

void DatagramSender::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

// Sends on the socket kept open; on a new one when that was stale. kSent, or a negative errno.
int DatagramSender::Transmit(const Datagram& datagram, int flags) {
  flags |= MSG_NOSIGNAL;
  if (datagram.fd_count == 0 && datagram.pid == 0) {
    return Attempt([&](int fd) { return send(fd, datagram.data, datagram.size, flags); });
  }
  iovec data = {const_cast<char*>(datagram.data), datagram.size};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  Control control(datagram, &message);
  return Attempt([&](int fd) {
    ssize_t count = sendmsg(fd, &message, flags);
    if (count >= 0 || errno != EPERM || !control.has_credentials()) return count;
    // Not allowed to speak for another process: speak for ourselves, as libsystemd does.
    control.DropCredentials();
    return sendmsg(fd, &message, flags);
  });
}

template <typename SendOn>
int DatagramSender::Attempt(SendOn send_on) {
  bool fresh = false;
  while (true) {
    if (fd_ < 0) {
      int result = Open();
      if (result < 0) return result;
      fresh = true;
    }
    if (send_on(fd_) >= 0) return kSent;
    int error = errno;
    if (error == EINTR) continue;
    if (fresh || !IsStale(error)) return -error;
    if (IsForeign(error)) fd_ = -1;
    Close();
  }
}

// Puts a copy behind all that waits, and has a thread send it. kQueued, or a negative errno.
int DatagramSender::Enqueue(const char* address, const Datagram& datagram) {
  if (waiting_count_ >= kMaximumWaiting || waiting_bytes_ + datagram.size > kMaximumWaitingBytes) return -ENOBUFS;
  if (waiting_fds_ + datagram.fd_count > maximum_waiting_fds_) return -ENOBUFS;
  if (!thread_runs_) {
    pthread_t thread;
    int result = StartThread(&thread, true, RunThread, this);
    if (result < 0) return result;
    thread_runs_ = true;
  }
  Waiting* waiting = Waiting::Copy(address, datagram);
  if (waiting == nullptr) return -errno;
  (first_ == nullptr ? first_ : last_->next) = waiting;
  last_ = waiting;
  waiting_count_++;
  waiting_bytes_ += datagram.size;
  waiting_fds_ += datagram.fd_count;
  pthread_cond_signal(&filled_);
  return kQueued;
}

void* DatagramSender::RunThread(void* sender) {
  static_cast<DatagramSender*>(sender)->Run();
  return nullptr;
}

// Once there was a need for it the thread stays: a queue that has filled up will do so again.
void DatagramSender::Run() {
  pthread_mutex_lock(&mutex_);
  while (true) {
    while (first_ == nullptr) pthread_cond_wait(&filled_, &mutex_);
    Waiting* waiting = first_;
    pthread_mutex_unlock(&mutex_);
    int result = Deliver(*waiting);
    pthread_mutex_lock(&mutex_);
    if (result < 0) {
      failed_count_++;
      last_error_ = -result;
      waiting->TellFailure(-result);
    }
    first_ = waiting->next;
    if (first_ == nullptr) last_ = nullptr;
    waiting_count_--;
    waiting_bytes_ -= waiting->datagram.size;
    waiting_fds_ -= waiting->datagram.fd_count;
    waiting->Free();
    if (first_ == nullptr) pthread_cond_broadcast(&drained_);
  }
}

// Sends one datagram and waits as long as its receiver has no room. kSent, or a negative errno.
int DatagramSender::Deliver(const Waiting& waiting) {
  int result = UseAddress(waiting.address);
  if (result < 0) return result;
  int64_t deadline = MonotonicMilliseconds() + kBufferPatience;
  while (true) {
    result = Transmit(waiting.datagram, 0);
    if (result != -ENOBUFS || MonotonicMilliseconds() > deadline) return result;
    nanosleep(&kBufferPause, nullptr);
  }
}
