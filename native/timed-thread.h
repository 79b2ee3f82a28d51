#pragma once

#include <node_api.h>
#include <stdint.h>

// Something to be done at certain times, by a thread that does all such things one after the other. Neither function
// may wait for anything; all of a task that the thread uses is guarded by the thread's mutex.
struct TimedTask {
  static constexpr int64_t kNever = INT64_MAX;

  // Called when `due`. When to be called next, or kNever.
  int64_t (*run)(TimedTask* task, int64_t now);
  void (*destroy)(TimedTask* task);
  int64_t due;  // monotonic milliseconds

  // The thread's own.
  napi_env env;
  int32_t id;
  TimedTask* next;
};

// Has a task done until it is stopped or its environment ends, which destroys it. Its id, above 0; a negative errno, and it
// is destroyed.
int32_t StartTimedTask(napi_env env, TimedTask* task);

// Destroys the task: it is not run any more once this has returned. 0, or -ENOENT.
int StopTimedTask(napi_env env, int32_t id);

// Calls `change` with the task while the thread is kept from it, and has the thread look at `due` again. 0, or -ENOENT.
int ChangeTimedTask(napi_env env, int32_t id, void (*change)(TimedTask* task, int64_t now));
