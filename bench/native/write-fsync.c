// The limit of a durable message: one write(2) and one fsync(2) of its size.   write-fsync FILE SIZE COUNT
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  size_t size = (size_t)atoi(argv[2]), count = (size_t)atoi(argv[3]);
  char *data = malloc(size);
  memset(data, 'x', size);
  uint64_t *latencies = calloc(count, sizeof(*latencies));
  int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return 1;
  for (size_t i = 0; i < count; i++) {
    uint64_t began = nanoseconds();
    if (write(fd, data, size) != (ssize_t)size || fsync(fd) < 0) return 1;
    latencies[i] = nanoseconds() - began;
  }
  qsort(latencies, count, sizeof(*latencies), ascending);
  printf("{\"accepted\":%zu,\"p50\":%.1f,\"p99\":%.1f}\n", count, (double)latencies[count / 2] / 1e3,
         (double)latencies[count * 99 / 100] / 1e3);
  return 0;
}
