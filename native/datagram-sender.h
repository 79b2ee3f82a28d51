#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "socket-address.h"

struct Datagram {
  const char* data;
  size_t size;
  // Sent along with SCM_RIGHTS.
  const int* fds = nullptr;
  size_t fd_count = 0;
  // Sent along as SCM_CREDENTIALS in place of this process's own; 0: own.
  pid_t pid = 0;
  // If true and it has to wait and then fails, its errno is written into `fds[0]`, a pipe, as one byte.
  bool tells_failure = false;
};

// Sends datagrams in order from any thread, without ever blocking its caller. The socket is kept open from one to the
// next and opened again after an error or a change of the address. What the receiver has no room for waits in a bounded
// queue that a thread empties; whatever is sent meanwhile goes behind it.
class DatagramSender {
 public:
  static constexpr int kSent = 1;
  static constexpr int kQueued = 2;

  // The outcome of datagrams that had to wait.
  struct QueueState {
    int64_t waiting;
    int64_t failed;
    int64_t last_error;  // errno of the last that failed; 0: none
  };

  // `wait_for_buffers`: ENOBUFS is waited out like a full queue, not returned. `maximum_waiting_fds`: so many
  // descriptors the queue may hold, which the process has no more for anything else.
  DatagramSender(bool wait_for_buffers, size_t maximum_waiting_fds);

  // kSent, kQueued, or a negative errno; ENOBUFS: the queue is full as well.
  int Send(const char* address, const Datagram& datagram);
  // Waits until nothing is queued; false when that took longer. A time below 0 is 0; one beyond a day is a day.
  bool Flush(int64_t timeout_milliseconds);
  QueueState queue_state();

 private:
  struct Waiting;

  static void* RunThread(void* sender);

  int UseAddress(const char* text);
  int Open();
  void Close();
  int Transmit(const Datagram& datagram, int flags);
  template <typename SendOn>
  int Attempt(SendOn send_on);
  int Enqueue(const char* address, const Datagram& datagram);
  int Deliver(const Waiting& waiting);
  [[noreturn]] void Run();

  const bool wait_for_buffers_;
  const size_t maximum_waiting_fds_;
  // Guards all below. While `first_` is set, the thread alone uses the address and the socket, without it.
  pthread_mutex_t mutex_;
  pthread_cond_t filled_;
  pthread_cond_t drained_;
  char address_text_[sizeof(sockaddr_un::sun_path)];
  SocketAddress address_;
  int fd_ = -1;
  Waiting* first_ = nullptr;
  Waiting* last_ = nullptr;
  size_t waiting_count_ = 0;
  size_t waiting_bytes_ = 0;
  size_t waiting_fds_ = 0;
  size_t failed_count_ = 0;
  int last_error_ = 0;
  bool thread_runs_ = false;
};
