// A blocked event loop can't say that it is blocked. The timed thread does, once for each time that it is: a journal
// entry and a notification, both made beforehand.

#include <errno.h>
#include <stdlib.h>

#include "addon.h"
#include "arguments.h"
#include "monotonic-time.h"
#include "timed-thread.h"

std::atomic<bool> event_loop_stalls{false};

namespace {

struct StallWatch : TimedTask {
  int64_t limit;     // milliseconds
  int64_t alive_at;  // monotonic milliseconds
  Utf8 address;
  Utf8 entry;
  Utf8 state;
};

int64_t Look(TimedTask* task, int64_t now) {
  auto* watch = static_cast<StallWatch*>(task);
  // It is not woken by each sign of life.
  if (now < watch->alive_at + watch->limit) return watch->alive_at + watch->limit;
  event_loop_stalls.store(true);
  // Neither can be told of a failure: the thread that could be is the one that hangs.
  SendJournalEntry(watch->address.data(), watch->entry.data(), watch->entry.size());
  SendNotification(getenv("NOTIFY_SOCKET"), {watch->state.data(), watch->state.size()});
  return TimedTask::kNever;
}

void Destroy(TimedTask* task) { delete static_cast<StallWatch*>(task); }

// stall_watch_start(limit in ms, journal's address, entry, state): id > 0, or a negative errno
napi_value Start(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t limit;
  if (!arguments.Int64(0, &limit)) return nullptr;
  auto* watch = new StallWatch;
  watch->run = Look;
  watch->destroy = Destroy;
  watch->limit = limit;
  watch->alive_at = MonotonicMilliseconds();
  watch->due = watch->alive_at + limit;
  bool read = watch->address.Append(env, arguments[1]) && watch->entry.Append(env, arguments[2]) &&
              watch->state.Append(env, arguments[3]);
  if (read && limit > 0 && !watch->address.has_nul()) return Number(env, StartTimedTask(env, watch));
  delete watch;
  return read ? Number(env, -EINVAL) : nullptr;
}

// stall_watch_alive(id): 0, or -ENOENT
napi_value Alive(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  return Number(env, ChangeTimedTask(env, id, [](TimedTask* task, int64_t now) {
                  auto* watch = static_cast<StallWatch*>(task);
                  watch->alive_at = now;
                  event_loop_stalls.store(false);
                  // The end of a stall: the next one is to be told of, too.
                  if (watch->due == TimedTask::kNever) watch->due = now + watch->limit;
                }));
}

// stall_watch_stop(id): nothing is told any more once it has returned
napi_value Stop(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  return Number(env, StopTimedTask(env, id));
}

}  // namespace

void InitializeStallWatch(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "stall_watch_start", Start);
  ExportFunction(env, exports, "stall_watch_alive", Alive);
  ExportFunction(env, exports, "stall_watch_stop", Stop);
}
