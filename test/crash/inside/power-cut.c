// Run before each start of a gateway under test (ExecStartPre=). When there is an order for a power cut, takes back the
// store's writes that no sync made last: all of them, or, as a disk may have written some of them in any order, all but
// some by chance. Then forgets the record of writes.
//   power-cut STORE LOG ORDER    ORDER: a file with a seed; 0 takes back everything
#define _GNU_SOURCE
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct entry entry_at(const char *place) {
  struct entry entry;
  memcpy(&entry, place, sizeof entry);
  return entry;
}

static int is_mark(const char *place) {
  int kind = entry_at(place).kind;
  return kind == SYNCED || kind == SYNC_FAILED;
}

int main(int count, char **words) {
  if (count != 4) return 64;
  FILE *order = fopen(words[3], "r");
  if (order != NULL) {
    unsigned seed = 0;
    if (fscanf(order, "%u", &seed) != 1) fail("order");
    fclose(order);
    int log = open(words[2], O_RDONLY);
    struct stat status;
    if (log < 0 || fstat(log, &status) != 0) fail(words[2]);
    char *bytes = malloc(status.st_size + 1);
    if (bytes == NULL || read(log, bytes, status.st_size) != status.st_size) fail(words[2]);
    close(log);

    size_t capacity = 1024, entries = 0;
    char **place = malloc(capacity * sizeof *place);
    // True for entries that a later sync made last. After a failed sync the kernel takes its data for written, and a
    // later one does not write them again (fsync(2), EIO).
    char *lasts = malloc(capacity);
    size_t since[2] = {0, 0};
    for (size_t at = 0; at + sizeof(struct entry) <= (size_t)status.st_size;) {
      struct entry entry;
      memcpy(&entry, bytes + at, sizeof entry);
      size_t size = sizeof entry + entry.old_length + entry.new_length;
      // The last one may be cut off: what it tells of was not done then.
      if (entry.magic != MAGIC || at + size > (size_t)status.st_size) break;
      at += size;
      if (entry.kind == NOT_DONE) {
        entries--;
        continue;
      }
      if (entries == capacity) {
        capacity *= 2;
        place = realloc(place, capacity * sizeof *place);
        lasts = realloc(lasts, capacity);
      }
      if (place == NULL || lasts == NULL) fail("memory");
      lasts[entries] = 0;
      place[entries++] = bytes + at - size;
      if (entry.kind == SYNCED || entry.kind == SYNC_FAILED) {
        for (size_t index = since[entry.file]; index < entries; index++) {
          if (entry_at(place[index]).file == entry.file) lasts[index] = entry.kind == SYNCED;
        }
        since[entry.file] = entries;
      }
    }

    char path[2][4096];
    snprintf(path[DATABASE], sizeof path[0], "%s", words[1]);
    snprintf(path[WRITE_AHEAD_LOG], sizeof path[1], "%s-wal", words[1]);
    unsigned lost = 0, kept = 0;
    for (int file = 0; file < 2; file++) {
      int descriptor = open(path[file], O_RDWR);
      if (descriptor < 0) continue;
      size_t first = 0;
      while (first < entries && (entry_at(place[first]).file != file || is_mark(place[first]) || lasts[first])) first++;
      for (size_t index = entries; index > first; index--) {
        struct entry entry = entry_at(place[index - 1]);
        if (entry.file != file || is_mark(place[index - 1])) continue;
        const char *before = place[index - 1] + sizeof entry;
        if (pwrite(descriptor, before, entry.old_length, entry.offset) != entry.old_length) fail(path[file]);
        if (ftruncate(descriptor, entry.old_size) != 0) fail(path[file]);
      }
      for (size_t index = first; index < entries; index++) {
        struct entry entry = entry_at(place[index]);
        if (entry.file != file || is_mark(place[index])) continue;
        if (!lasts[index]) {
          lost++;
          if (seed == 0 || entry.kind != WRITTEN || rand_r(&seed) % 2 == 0) continue;
          kept++;
        }
        const char *after = place[index] + sizeof entry + entry.old_length;
        if (entry.kind == TRUNCATED && ftruncate(descriptor, entry.offset) != 0) fail(path[file]);
        if (pwrite(descriptor, after, entry.new_length, entry.offset) != entry.new_length) fail(path[file]);
      }
      close(descriptor);
    }
    printf("power cut: %u writes were not synced, %u of them are there all the same\n", lost, kept);
    unlink(words[3]);
  }
  if (truncate(words[2], 0) != 0 && access(words[2], F_OK) == 0) fail(words[2]);
  return 0;
}
