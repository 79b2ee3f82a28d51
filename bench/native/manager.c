// The other side of a process whose event loop is measured:   manager SOCKET
// Takes in notifications at SOCKET as a service manager does, and says what time it is on descriptor 3, at random
// moments some 2,000 times a second: 64 bits, CLOCK_MONOTONIC in nanoseconds. Whoever reads that late was late.
// When its standard input ends it prints how many notifications of each kind came.
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static unsigned status, watchdog, other;

static int fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static void take(int fd) {
  char text[8192];
  for (;;) {
    ssize_t size = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (size < 0) return;
    text[size] = '\0';
    if (strncmp(text, "STATUS=", 7) == 0) status++;
    else if (strcmp(text, "WATCHDOG=1") == 0) watchdog++;
    else other++;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof(address.sun_path) - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) fail(argv[1]);
  struct pollfd sources[] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
  uint64_t due = nanoseconds();
  while (sources[0].revents == 0) {
    uint64_t now = nanoseconds();
    if (now >= due) {
      if (write(3, &now, sizeof(now)) != sizeof(now)) fail("descriptor 3");
      // From 250 to 750 µs: in step with nothing.
      due = now + 250000 + (uint64_t)(random() % 500000);
      continue;
    }
    struct timespec rest = {0, (long)(due - now)};
    if (ppoll(sources, 2, &rest, NULL) < 0) fail("ppoll");
    if (sources[1].revents != 0) take(fd);
  }
  take(fd);
  printf("{\"status\":%u,\"watchdog\":%u,\"other\":%u}\n", status, watchdog, other);
  return 0;
}
