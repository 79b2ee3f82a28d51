/*
 * For LD_PRELOAD: each write to a file whose path has DISK_FAULTS_PATH in it fails with the errno(3) whose number is in
 * the file DISK_FAULTS_ERRNO, as long as there is one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd) {
  const char *part = getenv("DISK_FAULTS_PATH");
  const char *file = getenv("DISK_FAULTS_ERRNO");
  if (part == NULL || file == NULL) return 0;
  char link[64];
  char target[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = '\0';
  if (strstr(target, part) == NULL) return 0;
  FILE *stream = fopen(file, "re");
  if (stream == NULL) return 0;
  int number = 0;
  const int found = fscanf(stream, "%d", &number);
  fclose(stream);
  if (found != 1) return 0;
  errno = number;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
  return fails(fd) ? -1 : REAL(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  return fails(fd) ? -1 : REAL(pwrite)(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  return fails(fd) ? -1 : REAL(pwrite64)(fd, bytes, count, offset);
}

int fsync(int fd) {
  return fails(fd) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd) {
  return fails(fd) ? -1 : REAL(fdatasync)(fd);
}
