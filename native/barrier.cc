// sd_notify_barrier(3): a pipe's write end goes to the manager, which closes it once it has taken in all that was sent
// before. A thread waits for that, so that neither the event loop nor a place in libuv's pool is taken.

#include "barrier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arguments.h"
#include "monotonic-time.h"
#include "notify.h"
#include "thread.h"

namespace {

struct Barrier {
  napi_env env = nullptr;
  napi_deferred deferred = nullptr;
  napi_threadsafe_function settle = nullptr;
  pthread_t thread;
  int pipe = -1;
  Delivery* delivery = new Delivery;
  // Becomes readable when the environment ends before the manager has answered.
  int stop = -1;
  int64_t deadline = 0;  // monotonic milliseconds; negative: none
  int result = 0;

  ~Barrier() {
    if (pipe >= 0) close(pipe);
    if (stop >= 0) close(stop);
    delivery->Release();
  }
};

// 1 when the manager has closed its end, or a negative errno.
int Wait(const Barrier& barrier) {
  while (true) {
    // No event is asked for: the hang-up comes by itself.
    pollfd waited[] = {{barrier.pipe, 0, 0}, {barrier.stop, POLLIN, 0}};
    int timeout = -1;
    if (barrier.deadline >= 0) {
      int64_t left = barrier.deadline - MonotonicMilliseconds();
      timeout = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : static_cast<int>(left);
    }
    int ready = poll(waited, 2, timeout);
    if (ready < 0 && errno != EINTR) return -errno;
    // Also when nobody got the other end, because it waited in the queue and could then not be sent.
    if (ready > 0 && waited[0].revents != 0) return barrier.delivery->error() < 0 ? barrier.delivery->error() : 1;
    if (ready > 0) return -ECANCELED;
    if (ready == 0 && MonotonicMilliseconds() >= barrier.deadline) return -ETIMEDOUT;
  }
}

void* RunThread(void* data) {
  auto* barrier = static_cast<Barrier*>(data);
  barrier->result = Wait(*barrier);
  if (barrier->result != -ECANCELED) napi_call_threadsafe_function(barrier->settle, barrier, napi_tsfn_nonblocking);
  return nullptr;
}

// The environment ends: the thread has to be gone before the function that it calls.
void StopAtEnvironmentEnd(void* data) {
  auto* barrier = static_cast<Barrier*>(data);
  eventfd_write(barrier->stop, 1);
  pthread_join(barrier->thread, nullptr);
  delete barrier;
}

void Settle(napi_env env, napi_value, void*, void* data) {
  if (env == nullptr) return;  // freed by StopAtEnvironmentEnd
  auto* barrier = static_cast<Barrier*>(data);
  napi_remove_env_cleanup_hook(env, StopAtEnvironmentEnd, barrier);
  pthread_join(barrier->thread, nullptr);
  napi_resolve_deferred(env, barrier->deferred, Number(env, barrier->result));
  napi_release_threadsafe_function(barrier->settle, napi_tsfn_release);
  delete barrier;
}

// Sends the barrier and starts the wait. 1 when the promise will be settled later; else the result.
int Begin(Barrier* barrier) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  barrier->pipe = ends[0];
  int result = SendNotification({"BARRIER=1", 9, &ends[1], 1, 0, barrier->delivery});
  close(ends[1]);
  if (result <= 0) return result;
  barrier->stop = eventfd(0, EFD_CLOEXEC);
  if (barrier->stop < 0) return -errno;
  napi_value name;
  napi_create_string_utf8(barrier->env, "sd_notify_barrier", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(barrier->env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, Settle,
                                      &barrier->settle) != napi_ok) {
    return -ENOMEM;
  }
  // Hooks run last in, first out: this one before the function's own.
  napi_add_env_cleanup_hook(barrier->env, StopAtEnvironmentEnd, barrier);
  result = StartThread(&barrier->thread, false, RunThread, barrier);
  if (result == 0) return 1;
  napi_remove_env_cleanup_hook(barrier->env, StopAtEnvironmentEnd, barrier);
  napi_release_threadsafe_function(barrier->settle, napi_tsfn_abort);
  return result;
}

// sd_notify_barrier(timeout: number in µs, negative for none): Promise<number>
napi_value SdNotifyBarrier(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t timeout;
  if (!arguments.Int64(0, &timeout)) return nullptr;
  napi_value promise;
  auto* barrier = new Barrier;
  barrier->env = env;
  // Rounded up to what poll(2) can wait for.
  barrier->deadline = timeout < 0 ? -1 : MonotonicMilliseconds() + timeout / 1000 + (timeout % 1000 != 0 ? 1 : 0);
  napi_create_promise(env, &barrier->deferred, &promise);
  int result = Begin(barrier);
  if (result == 1) return promise;
  napi_resolve_deferred(env, barrier->deferred, Number(env, result));
  delete barrier;
  return promise;
}

}  // namespace

void InitializeBarrier(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "sd_notify_barrier", SdNotifyBarrier);
}
