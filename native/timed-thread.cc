#include "timed-thread.h"

#include <errno.h>

#include "monotonic-time.h"
#include "thread.h"

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
// The mutex guards all that follows.
pthread_cond_t changed;
bool thread_runs = false;
TimedTask* tasks = nullptr;
int32_t last_id = 0;

[[noreturn]] void* RunThread(void*) {
  pthread_mutex_lock(&mutex);
  while (true) {
    int64_t now = MonotonicMilliseconds();
    int64_t next = TimedTask::kNever;
    for (TimedTask* task = tasks; task != nullptr; task = task->next) {
      if (task->due <= now) task->due = task->run(task, now);
      if (task->due < next) next = task->due;
    }
    if (next == TimedTask::kNever) {
      pthread_cond_wait(&changed, &mutex);
    } else {
      timespec end = MonotonicTime(next);
      pthread_cond_timedwait(&changed, &mutex, &end);
    }
  }
}

// Once there was a need for it the thread stays: there will be one again. 0, or a negative errno.
int StartThreadOnce() {
  if (thread_runs) return 0;
  InitializeMonotonicCondition(&changed);
  pthread_t thread;
  int result = StartThread(&thread, true, RunThread, nullptr);
  thread_runs = result == 0;
  return result;
}

// Finds the task with this id, or the list's end.
TimedTask** Place(napi_env env, int32_t id) {
  TimedTask** place = &tasks;
  while (*place != nullptr && ((*place)->id != id || (*place)->env != env)) place = &(*place)->next;
  return place;
}

void DestroyAtEnvironmentEnd(void* data) {
  auto* task = static_cast<TimedTask*>(data);
  MutexLock lock(&mutex);
  *Place(task->env, task->id) = task->next;
  task->destroy(task);
}

}  // namespace

int32_t StartTimedTask(napi_env env, TimedTask* task) {
  MutexLock lock(&mutex);
  int result = StartThreadOnce();
  if (result < 0) {
    task->destroy(task);
    return result;
  }
  task->env = env;
  task->id = ++last_id;
  task->next = tasks;
  tasks = task;
  napi_add_env_cleanup_hook(env, DestroyAtEnvironmentEnd, task);
  pthread_cond_signal(&changed);
  return task->id;
}

int StopTimedTask(napi_env env, int32_t id) {
  MutexLock lock(&mutex);
  TimedTask** place = Place(env, id);
  TimedTask* task = *place;
  if (task == nullptr) return -ENOENT;
  *place = task->next;
  napi_remove_env_cleanup_hook(env, DestroyAtEnvironmentEnd, task);
  task->destroy(task);
  return 0;
}

int ChangeTimedTask(napi_env env, int32_t id, void (*change)(TimedTask* task, int64_t now)) {
  MutexLock lock(&mutex);
  TimedTask* task = *Place(env, id);
  if (task == nullptr) return -ENOENT;
  int64_t before = task->due;
  change(task, MonotonicMilliseconds());
  if (task->due < before) pthread_cond_signal(&changed);
  return 0;
}
