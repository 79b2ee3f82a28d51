// EXTEND_TIMEOUT_USEC= of sd_notify(3), from the timed thread: it goes on while JavaScript's thread is inside one
// long call, such as a migration or an integrity check, and ends when the process makes no progress any more.

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "addon.h"
#include "arguments.h"
#include "monotonic-time.h"
#include "timed-thread.h"

namespace {

// Fewer bytes than a database page in one interval are no progress: event loops wake each other by a few bytes too.
constexpr uint64_t kProgressBytes = 4096;

// Number of reports of progress, by all threads of this process.
std::atomic<uint64_t> reported_progress{0};

// The bytes that this process has read and written (proc_pid_io(5)).
class TransferredBytes {
 public:
  ~TransferredBytes() {
    if (fd_ >= 0) close(fd_);
  }
  // False where the kernel doesn't count or doesn't tell.
  bool Open() {
    fd_ = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    return fd_ >= 0;
  }
  // False when it couldn't be read.
  bool Read(uint64_t* bytes) {
    char text[512];
    ssize_t size = pread(fd_, text, sizeof(text) - 1, 0);
    if (size <= 0) return false;
    text[size] = '\0';
    uint64_t read;
    uint64_t written;
    if (!Field(text, "rchar: ", &read) || !Field(text, "wchar: ", &written)) return false;
    *bytes = read + written - own_;
    // Reading the count is counted as well, from the next time on.
    own_ += static_cast<uint64_t>(size);
    return true;
  }

 private:
  static bool Field(const char* text, const char* name, uint64_t* value) {
    const char* found = strstr(text, name);
    if (found == nullptr) return false;
    *value = strtoull(found + strlen(name), nullptr, 10);
    return true;
  }

  int fd_ = -1;
  uint64_t own_ = 0;
};

struct Extension : TimedTask {
  int64_t interval;  // milliseconds
  int64_t stall;     // milliseconds without progress until it ends; 0: progress doesn't count
  int64_t until;     // monotonic milliseconds up to which no progress is needed; 0: none
  char* address;
  char message[64];

  TransferredBytes transferred;
  bool counts = false;
  uint64_t bytes = 0;
  uint64_t reported;
  int64_t progress_at;  // monotonic milliseconds

  ~Extension() { free(address); }
};

int Extend(const Extension& extension) {
  return SendNotification(extension.address, {extension.message, strlen(extension.message)});
}

int64_t Look(TimedTask* task, int64_t now) {
  auto* extension = static_cast<Extension*>(task);
  uint64_t reported = reported_progress.load(std::memory_order_relaxed);
  if (reported != extension->reported) extension->progress_at = now;
  extension->reported = reported;
  uint64_t bytes;
  if (extension->counts && extension->transferred.Read(&bytes)) {
    if (bytes - extension->bytes >= kProgressBytes) extension->progress_at = now;
    extension->bytes = bytes;
  }
  // After a stall it goes on watching: systemd decides when it has waited long enough.
  if (now < extension->until || now - extension->progress_at < extension->stall) Extend(*extension);
  return now + extension->interval;
}

void Destroy(TimedTask* task) { delete static_cast<Extension*>(task); }

// timeout_extension_start(interval in ms, extension in µs, stall in ms or 0, limit in ms or 0): id > 0,
// 0 without NOTIFY_SOCKET, or a negative errno
napi_value Start(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t interval;
  int64_t extension_time;
  int64_t stall;
  int64_t limit;
  if (!arguments.Int64(0, &interval) || !arguments.Int64(1, &extension_time) || !arguments.Int64(2, &stall) ||
      !arguments.Int64(3, &limit)) {
    return nullptr;
  }
  if (interval <= 0 || extension_time <= 0 || stall < 0 || limit < 0) return Number(env, -EINVAL);
  const char* address = getenv("NOTIFY_SOCKET");
  if (address == nullptr) return Number(env, 0);
  auto* extension = new Extension;
  int64_t now = MonotonicMilliseconds();
  extension->run = Look;
  extension->destroy = Destroy;
  extension->due = now + interval;
  extension->interval = interval;
  extension->stall = stall;
  extension->until = limit == 0 ? 0 : now + limit;
  extension->address = strdup(address);
  snprintf(extension->message, sizeof(extension->message), "EXTEND_TIMEOUT_USEC=%" PRId64, extension_time);
  extension->counts = stall > 0 && extension->transferred.Open() && extension->transferred.Read(&extension->bytes);
  extension->reported = reported_progress.load(std::memory_order_relaxed);
  extension->progress_at = now;
  // The first one at once, and from here, so that a failure can be told.
  int result = Extend(*extension);
  if (result > 0) return Number(env, StartTimedTask(env, extension));
  delete extension;
  return Number(env, result);
}

// timeout_extension_stop(id): nothing is sent any more once it has returned
napi_value Stop(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  return Number(env, StopTimedTask(env, id));
}

// report_progress()
napi_value ReportProgress(napi_env, napi_callback_info) {
  reported_progress.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

}  // namespace

void InitializeTimeoutExtension(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "timeout_extension_start", Start);
  ExportFunction(env, exports, "timeout_extension_stop", Stop);
  ExportFunction(env, exports, "report_progress", ReportProgress);
}
