// Writes to the store since the gateway's start: entries, each followed by the bytes before and after.
#include <stdint.h>

enum { MAGIC = 0x57524f54 };
// NOT_DONE: what the entry before it tells of failed.
enum { WRITTEN = 1, TRUNCATED = 2, SYNCED = 3, SYNC_FAILED = 4, NOT_DONE = 5 };
enum { DATABASE = 0, WRITE_AHEAD_LOG = 1 };

struct entry {
  uint32_t magic;
  uint16_t kind;
  uint16_t file;
  int64_t offset;
  int64_t old_size;
  uint32_t old_length;
  uint32_t new_length;
};
