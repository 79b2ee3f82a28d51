// Sends before and after a fork, from the parent and the child, while the parent's queue is full or not (first
// argument: "full" or "free"). The address is the second argument.

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../native/datagram-sender.h"

int main(int, char** arguments) {
  static DatagramSender& sender = *new DatagramSender(true, SIZE_MAX);
  const char* address = arguments[2];
  auto send = [&](const char* text) { return sender.Send(address, {text, strlen(text)}); };
  int result = send("before");
  if (strcmp(arguments[1], "full") == 0) {
    while (result == DatagramSender::kSent) result = send("fill");
  }
  pid_t child = fork();
  if (child == 0) {
    DatagramSender::QueueState state = sender.queue_state();
    int sent = send("child");
    bool flushed = sender.Flush(10'000);
    return state.waiting == 0 && sent > 0 && flushed ? 0 : 1;
  }
  int parent = send("parent");
  bool flushed = sender.Flush(10'000);
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 && parent > 0 && flushed ? 0 : 1;
}
