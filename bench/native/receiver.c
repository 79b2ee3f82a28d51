// Takes in what the senders send, off their clock: a sender sends a burst that fits into the socket's queue, then has
// it drained. Answers with how much came and a hash of the bytes, so that what was measured can be checked.
//   receiver dgram PATH        binds a datagram socket; a newline at a datagram's end is left out of the hash
//   receiver stream PATH       listens on a stream socket, takes the first connection; a unit is a line
//   receiver lines             lines of descriptor 3
// stdin: how many units to take in, 32 bits. stdout: how many came in all, and the FNV-1a hash, 64 bits each.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t total;
static uint64_t hash = 14695981039346656037ULL;
static char buffer[1 << 20];

static void take(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211ULL;
}

static int fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_socket(int type, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) fail(path);
  if (type == SOCK_STREAM && listen(fd, 1) < 0) fail(path);
  return fd;
}

static void take_datagrams(int fd, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
    if (size < 0) fail("recv");
    if (size > 0 && buffer[size - 1] == '\n') size--;
    take(buffer, (size_t)size);
    total++;
  }
}

static void take_lines(int fd, uint32_t count) {
  for (uint32_t lines = 0; lines < count;) {
    ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size <= 0) fail("read");
    take(buffer, (size_t)size);
    for (ssize_t i = 0; i < size; i++) lines += buffer[i] == '\n';
    if (lines > count) {
      fprintf(stderr, "receiver: %u lines came, %u were announced\n", lines, count);
      exit(1);
    }
    total += lines == count ? count : 0;
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  const int datagrams = strcmp(argv[1], "dgram") == 0;
  const int stream = strcmp(argv[1], "stream") == 0;
  int fd = datagrams ? open_socket(SOCK_DGRAM, argv[2]) : stream ? open_socket(SOCK_STREAM, argv[2]) : 3;
  uint64_t ready[2] = {0, hash};
  if (write(1, ready, sizeof(ready)) != sizeof(ready)) fail("write");
  if (stream) {
    fd = accept(fd, NULL, NULL);
    if (fd < 0) fail("accept");
    // systemd-cat introduces itself in seven lines (journald's stream protocol).
    char byte;
    for (int lines = 0; lines < 7;) {
      if (read(fd, &byte, 1) != 1) fail("read");
      lines += byte == '\n';
    }
  }
  uint32_t count;
  while (read(0, &count, sizeof(count)) == sizeof(count)) {
    if (datagrams) take_datagrams(fd, count);
    else take_lines(fd, count);
    uint64_t answer[2] = {total, hash};
    if (write(1, answer, sizeof(answer)) != sizeof(answer)) fail("write");
  }
  return 0;
}
