// A blocked event loop can't say that it is blocked. A thread of its own does, once for each time that it is: a
// journal entry and a notification, both made beforehand.

#include "stall-watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "journal.h"
#include "monotonic-time.h"
#include "notify.h"
#include "thread.h"

namespace {

struct Watch {
  napi_env env;
  int32_t id;
  Watch* next;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  bool stop = false;
  bool told = false;
  int64_t limit;     // milliseconds
  int64_t alive_at;  // monotonic milliseconds
  char* address;
  char* entry;
  size_t entry_size;
  char* state;
  size_t state_size;

  ~Watch() {
    pthread_mutex_destroy(&mutex);
    pthread_cond_destroy(&wake);
    free(address);
    free(entry);
    free(state);
  }
};

pthread_mutex_t watches_mutex = PTHREAD_MUTEX_INITIALIZER;
Watch* watches = nullptr;
int32_t last_id = 0;

// Neither can be told of a failure: the thread that could be is the one that hangs.
void Tell(const Watch& watch) {
  SendJournalEntry(watch.address, watch.entry, watch.entry_size);
  SendNotification({watch.state, watch.state_size});
}

void* RunThread(void* data) {
  auto* watch = static_cast<Watch*>(data);
  MutexLock lock(&watch->mutex);
  while (!watch->stop) {
    if (watch->told) {
      pthread_cond_wait(&watch->wake, &watch->mutex);
      continue;
    }
    int64_t due = watch->alive_at + watch->limit;
    if (MonotonicMilliseconds() < due) {
      timespec end = MonotonicTime(due);
      pthread_cond_timedwait(&watch->wake, &watch->mutex, &end);
      continue;
    }
    watch->told = true;
    pthread_mutex_unlock(&watch->mutex);
    Tell(*watch);
    pthread_mutex_lock(&watch->mutex);
  }
  return nullptr;
}

// With watches_mutex held. Where the one with this id is, or the list's end.
Watch** Place(napi_env env, int32_t id) {
  Watch** place = &watches;
  while (*place != nullptr && ((*place)->id != id || (*place)->env != env)) place = &(*place)->next;
  return place;
}

void End(Watch* watch) {
  pthread_mutex_lock(&watch->mutex);
  watch->stop = true;
  pthread_cond_signal(&watch->wake);
  pthread_mutex_unlock(&watch->mutex);
  pthread_join(watch->thread, nullptr);
  delete watch;
}

Watch* Remove(napi_env env, int32_t id) {
  MutexLock lock(&watches_mutex);
  Watch** place = Place(env, id);
  Watch* found = *place;
  if (found != nullptr) *place = found->next;
  return found;
}

void EndAtEnvironmentEnd(void* data) {
  auto* watch = static_cast<Watch*>(data);
  End(Remove(watch->env, watch->id));
}

char* Copy(const Utf8& text) {
  char* copy = static_cast<char*>(malloc(text.size() + 1));
  if (copy != nullptr) memcpy(copy, text.data(), text.size() + 1);
  return copy;
}

// stall_watch_start(limit in ms, journal's address, entry, state): id > 0, or a negative errno
napi_value Start(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t limit;
  Utf8 address;
  Utf8 entry;
  Utf8 state;
  if (!arguments.Int64(0, &limit) || !address.Append(env, arguments[1]) || !entry.Append(env, arguments[2]) ||
      !state.Append(env, arguments[3])) {
    return nullptr;
  }
  if (limit <= 0 || address.has_nul()) return Number(env, -EINVAL);
  auto* watch = new Watch;
  watch->env = env;
  watch->limit = limit;
  watch->alive_at = MonotonicMilliseconds();
  watch->address = Copy(address);
  watch->entry = Copy(entry);
  watch->entry_size = entry.size();
  watch->state = Copy(state);
  watch->state_size = state.size();
  pthread_mutex_init(&watch->mutex, nullptr);
  InitializeMonotonicCondition(&watch->wake);
  int result = -ENOMEM;
  if (watch->address != nullptr && watch->entry != nullptr && watch->state != nullptr) {
    result = StartThread(&watch->thread, false, RunThread, watch);
  }
  if (result < 0) {
    delete watch;
    return Number(env, result);
  }
  pthread_mutex_lock(&watches_mutex);
  watch->id = ++last_id;
  watch->next = watches;
  watches = watch;
  pthread_mutex_unlock(&watches_mutex);
  napi_add_env_cleanup_hook(env, EndAtEnvironmentEnd, watch);
  return Number(env, watch->id);
}

// stall_watch_alive(id): 0, or -ENOENT
napi_value Alive(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  MutexLock lock(&watches_mutex);
  Watch* watch = *Place(env, id);
  if (watch == nullptr) return Number(env, -ENOENT);
  MutexLock own(&watch->mutex);
  watch->alive_at = MonotonicMilliseconds();
  // Without an end of a stall the thread sees the new time when the old one is over.
  if (watch->told) pthread_cond_signal(&watch->wake);
  watch->told = false;
  return Number(env, 0);
}

// stall_watch_stop(id): nothing is told any more once it has returned
napi_value Stop(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  Watch* watch = Remove(env, id);
  if (watch == nullptr) return Number(env, -ENOENT);
  napi_remove_env_cleanup_hook(env, EndAtEnvironmentEnd, watch);
  End(watch);
  return Number(env, 0);
}

}  // namespace

void InitializeStallWatch(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "stall_watch_start", Start);
  ExportFunction(env, exports, "stall_watch_alive", Alive);
  ExportFunction(env, exports, "stall_watch_stop", Stop);
}
