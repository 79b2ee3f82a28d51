// Preloaded into a gateway under test (LD_PRELOAD). It
// - writes down what is written to the store and not synced yet, so that power-cut.c can take it back;
// - kills the process right before or after a sync, when the control file says so;
// - fails reads, writes and syncs of the store with EIO, when it says so;
// - moves the wall clock by what the control file says.
//   CRASH_STORE    path of the database; its write-ahead log is PATH-wal
//   CRASH_LOG      what was written, for power-cut.c; emptied by it at each start
//   CRASH_CONTROL  struct control, written by the tester
#define _GNU_SOURCE
#include "log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
  _Atomic int64_t clock_seconds;
  // Syncs until the kill; 0: none.
  _Atomic int32_t syncs;
  // 1: before that sync, 2: after it.
  _Atomic int32_t when;
  // Which calls fail, of those below, one or several.
  _Atomic int32_t failing;
};
enum { READS = 1, WRITES = 2, SYNCS = 4 };

static struct control *control;
static const char *store;
static int log_descriptor = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_gettimeofday)(struct timeval *, void *);

__attribute__((constructor)) static void prepare(void) {
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
  const char *path = getenv("CRASH_CONTROL");
  if (path == NULL) return;
  int descriptor = open(path, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) abort();
  void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (page == MAP_FAILED) abort();
  close(descriptor);
  control = page;
  store = getenv("CRASH_STORE");
  log_descriptor = open(getenv("CRASH_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (store == NULL || log_descriptor < 0) abort();
}

// Which of the two files a descriptor is; -1: neither.
static int file_of(int descriptor) {
  if (store == NULL) return -1;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return -1;
  path[length] = '\0';
  size_t own = strlen(store);
  if (strncmp(path, store, own) != 0) return -1;
  if (path[own] == '\0') return DATABASE;
  return strcmp(path + own, "-wal") == 0 ? WRITE_AHEAD_LOG : -1;
}

static int fails(int calls) {
  if ((control->failing & calls) == 0) return 0;
  errno = EIO;
  return 1;
}

static void append(struct entry entry, const void *before, const void *after) {
  size_t size = sizeof entry + entry.old_length + entry.new_length;
  char *bytes = malloc(size);
  if (bytes == NULL) abort();
  memcpy(bytes, &entry, sizeof entry);
  memcpy(bytes + sizeof entry, before, entry.old_length);
  memcpy(bytes + sizeof entry + entry.old_length, after, entry.new_length);
  if (write(log_descriptor, bytes, size) != (ssize_t)size) abort();
  free(bytes);
}

ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
  if (file_of(descriptor) >= 0 && fails(READS)) return -1;
  return real_pread(descriptor, bytes, count, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  int file = file_of(descriptor);
  if (file < 0) return real_pwrite(descriptor, bytes, count, offset);
  if (fails(WRITES)) return -1;
  pthread_mutex_lock(&mutex);
  struct stat status;
  if (fstat(descriptor, &status) != 0) abort();
  char *before = malloc(count);
  if (before == NULL) abort();
  ssize_t had = real_pread(descriptor, before, count, offset);
  if (had < 0) had = 0;
  struct entry entry = {.magic = MAGIC, .kind = WRITTEN, .file = file, .offset = offset, .old_size = status.st_size,
                        .old_length = had, .new_length = count};
  append(entry, before, bytes);
  ssize_t result = real_pwrite(descriptor, bytes, count, offset);
  int error = errno;
  if (result != (ssize_t)count) append((struct entry){.magic = MAGIC, .kind = NOT_DONE, .file = file}, "", "");
  if (result > 0 && result != (ssize_t)count) {
    entry.new_length = result;
    if (had > result) entry.old_length = result;
    append(entry, before, bytes);
  }
  free(before);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}

int ftruncate64(int descriptor, off64_t size) {
  int file = file_of(descriptor);
  if (file < 0) return real_ftruncate(descriptor, size);
  if (fails(WRITES)) return -1;
  pthread_mutex_lock(&mutex);
  struct stat status;
  if (fstat(descriptor, &status) != 0) abort();
  size_t cut = status.st_size > size ? status.st_size - size : 0;
  char *before = malloc(cut + 1);
  if (before == NULL) abort();
  ssize_t had = cut == 0 ? 0 : real_pread(descriptor, before, cut, size);
  append((struct entry){.magic = MAGIC, .kind = TRUNCATED, .file = file, .offset = size, .old_size = status.st_size,
                        .old_length = had < 0 ? 0 : had, .new_length = 0},
         before, "");
  free(before);
  int result = real_ftruncate(descriptor, size);
  int error = errno;
  if (result != 0) append((struct entry){.magic = MAGIC, .kind = NOT_DONE, .file = file}, "", "");
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}

static int sync_with(int (*real)(int), int descriptor) {
  int file = file_of(descriptor);
  if (file < 0) return real(descriptor);
  int last = 0;
  if (control->syncs > 0) last = atomic_fetch_sub(&control->syncs, 1) == 1;
  if (last && control->when == 1) kill(getpid(), SIGKILL);
  int result = fails(SYNCS) ? -1 : real(descriptor);
  int error = errno;
  pthread_mutex_lock(&mutex);
  append((struct entry){.magic = MAGIC, .kind = result == 0 ? SYNCED : SYNC_FAILED, .file = file}, "", "");
  pthread_mutex_unlock(&mutex);
  if (last && control->when == 2) kill(getpid(), SIGKILL);
  errno = error;
  return result;
}

int fsync(int descriptor) { return sync_with(real_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_with(real_fdatasync, descriptor); }

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = real_clock_gettime(clock, time);
  if (result == 0 && control != NULL && clock == CLOCK_REALTIME) time->tv_sec += control->clock_seconds;
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int result = real_gettimeofday(time, zone);
  if (result == 0 && control != NULL) time->tv_sec += control->clock_seconds;
  return result;
}
