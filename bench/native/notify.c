// The limits of sd_notify(3):   notify sd_notify|send COUNT BURST
// sd_notify: libsystemd's, which opens a socket for each call. send: one connected socket, nothing else.
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "bursts.h"

static int fd;
static char text[128];

static size_t format(uint32_t i) {
  return (size_t)snprintf(text, sizeof(text), "STATUS=Ready: %u sessions, 3 running, 4 waiting", i);
}

static void by_libsystemd(uint32_t i) {
  format(i);
  if (sd_notify(0, text) != 1) exit(1);
}

static void by_send(uint32_t i) {
  size_t size = format(i);
  if (send(fd, text, size, MSG_NOSIGNAL) < 0) exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  if (strcmp(argv[1], "send") == 0) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, getenv("NOTIFY_SOCKET"), sizeof(address.sun_path) - 1);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) return 1;
  }
  in_bursts((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), fd == 0 ? by_libsystemd : by_send);
  return 0;
}
