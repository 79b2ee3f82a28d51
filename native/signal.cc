// Signals with their sender. The handler takes down siginfo and the sender's name and writes them to a pipe; a thread
// of its own reads the pipe and hands each record to the environments that watch the signal, whether or not their
// event loops are busy. What is process-wide here is never freed: a handler may run at any moment.

#include "signal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>

#include "arguments.h"
#include "signal-record.h"
#include "thread.h"

namespace {

// Those that are offered all have numbers below this.
constexpr int kSignals = 32;
// Room for some 32,000 records that the reader has not come to; more are merged, see Overflow.
constexpr int kPipeSize = 1 << 20;

struct Watch {
  int64_t id;
  uint32_t signals;  // a bit each
  napi_env env;
  napi_threadsafe_function function;
  Watch* next;
};

// A delivery for which the pipe had no room; the next such one of the same signal takes its place. Merging is what
// the kernel does with pending standard signals too: the sender that is told is a true one, and never none.
//
// There are two a signal, as nobody may wait in a handler. The reader holds one at a time, so a handler that finds
// both held knows that another handler is just storing the same signal, and that this one is merged into that.
struct Overflow {
  std::atomic_flag held = ATOMIC_FLAG_INIT;
  SignalRecord record = {};  // signal 0: none
};

std::atomic<int> pipe_write_end{-1};
std::atomic<pid_t> owner{0};
// What was installed before us, to be called too. Each is kept for ever, once: a handler may be reading it.
struct Disposition {
  struct sigaction action;
  Disposition* next;
};
std::atomic<const struct sigaction*> previous[kSignals];
Overflow overflows[kSignals][2];

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
// What follows is guarded by the mutex.
Watch* watches = nullptr;
int64_t last_id = 0;
int watchers[kSignals];
int pipe_read_end = -1;
Disposition* dispositions = nullptr;

// Whether /proc shows this process's own PID namespace. With that of another a PID is somebody else there.
bool proc_is_ours = false;

// Reads /proc/PID/comm by async-signal-safe calls alone (signal-safety(7)).
void ReadComm(pid_t pid, char comm[kCommSize]) {
  char path[kCommPathSize];
  FormatCommPath(pid, path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  // With the line feed behind a name that fills all.
  char text[kCommSize + 1];
  ssize_t size = read(fd, text, sizeof(text));
  close(fd);
  if (size > 0) TakeComm(text, static_cast<size_t>(size), comm);
}

void TakeDown(int signal, const siginfo_t* info) {
  SignalRecord record = RecordOf(signal, *info);
  if (record.pid > 0 && proc_is_ours) ReadComm(record.pid, record.comm);
  int pipe = pipe_write_end.load();
  if (write(pipe, &record, sizeof(record)) == static_cast<ssize_t>(sizeof(record))) return;
  for (Overflow& overflow : overflows[signal]) {
    if (overflow.held.test_and_set(std::memory_order_acquire)) continue;
    overflow.record = record;
    overflow.held.clear(std::memory_order_release);
    break;
  }
  // The reader may have emptied the pipe meanwhile and be asleep. If there is still no room, it has yet to read.
  SignalRecord wake = {};
  if (write(pipe, &wake, sizeof(wake)) < 0) return;
}

void Handle(int signal, siginfo_t* info, void* context) {
  int saved_errno = errno;
  // A child that has forked and not yet executed shares the pipe: its signals are not ours.
  if (getpid() == owner.load()) TakeDown(signal, info);
  const struct sigaction* before = previous[signal].load();
  if (before != nullptr) {
    if ((before->sa_flags & SA_SIGINFO) != 0) {
      before->sa_sigaction(signal, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
      before->sa_handler(signal);
    }
  }
  errno = saved_errno;
}

bool IsOurs(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == Handle;
}

bool IsSame(const struct sigaction& one, const struct sigaction& other) {
  if (one.sa_flags != other.sa_flags || one.sa_sigaction != other.sa_sigaction) return false;
  for (int signal = 1; signal < NSIG; signal++) {
    if (sigismember(&one.sa_mask, signal) != sigismember(&other.sa_mask, signal)) return false;
  }
  return true;
}

// There are but few different ones in a process, however often a watch is opened.
const struct sigaction* Keep(const struct sigaction& action) {
  for (Disposition* kept = dispositions; kept != nullptr; kept = kept->next) {
    if (IsSame(kept->action, action)) return &kept->action;
  }
  dispositions = new Disposition{action, dispositions};
  return &dispositions->action;
}

// Puts our handler before the one that is there, unless it is there already. 0, or a negative errno.
int Install(int signal) {
  struct sigaction current;
  if (sigaction(signal, nullptr, &current) < 0) return -errno;
  if (IsOurs(current)) return 0;
  // Known before ours can run.
  previous[signal].store(Keep(current));
  struct sigaction ours = {};
  ours.sa_sigaction = Handle;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&ours.sa_mask);
  return sigaction(signal, &ours, nullptr) < 0 ? -errno : 0;
}

// Takes our handler away again, unless somebody has put another in its place.
void Uninstall(int signal) {
  struct sigaction current;
  if (sigaction(signal, nullptr, &current) < 0 || !IsOurs(current)) return;
  const struct sigaction* before = previous[signal].load();
  if (before != nullptr) sigaction(signal, before, nullptr);
}

void HandOver(const SignalRecord& record) {
  MutexLock lock(&mutex);
  for (Watch* watch = watches; watch != nullptr; watch = watch->next) {
    if ((watch->signals & (1u << record.signal)) == 0) continue;
    SignalRecord* copy = new SignalRecord(record);
    if (napi_call_threadsafe_function(watch->function, copy, napi_tsfn_nonblocking) != napi_ok) delete copy;
  }
}

void HandOverOverflows() {
  for (int signal = 1; signal < kSignals; signal++) {
    for (Overflow& overflow : overflows[signal]) {
      // Held by a handler: it writes to the pipe next, so we come back.
      if (overflow.held.test_and_set(std::memory_order_acquire)) continue;
      SignalRecord record = overflow.record;
      overflow.record.signal = 0;
      overflow.held.clear(std::memory_order_release);
      if (record.signal != 0) HandOver(record);
    }
  }
}

void* ReadRecords(void*) {
  prctl(PR_SET_NAME, "sd-signals");
  SignalRecord records[64];
  for (;;) {
    // Records are written whole, and read whole as the pipe holds nothing else.
    ssize_t size = read(pipe_read_end, records, sizeof(records));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return nullptr;
    size_t count = static_cast<size_t>(size) / sizeof(SignalRecord);
    for (size_t i = 0; i < count; i++) {
      if (records[i].signal != 0) HandOver(records[i]);
    }
    // Those beyond the pipe came after those within.
    int left = 0;
    if (ioctl(pipe_read_end, FIONREAD, &left) < 0 || left == 0) HandOverOverflows();
  }
}

// In /proc of another PID namespace, /proc/self is this process by its number there.
bool ProcIsOurs() {
  char number[16] = {};
  if (readlink("/proc/self", number, sizeof(number) - 1) <= 0) return false;
  return strtol(number, nullptr, 10) == getpid();
}

// Opens the pipe and starts its reader, once in a process. 0, or a negative errno. The mutex is held.
int StartReader() {
  if (pipe_read_end >= 0) return 0;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  // Best effort: with the usual 64 KiB some 2,000 records fit.
  fcntl(ends[1], F_SETPIPE_SZ, kPipeSize);
  pipe_read_end = ends[0];
  pthread_t thread;
  int result = StartThread(&thread, true, ReadRecords, nullptr);
  if (result < 0) {
    pipe_read_end = -1;
    close(ends[0]);
    close(ends[1]);
    return result;
  }
  proc_is_ours = ProcIsOurs();
  owner.store(getpid());
  pipe_write_end.store(ends[1]);
  return 0;
}

void CallListener(napi_env env, napi_value listener, void*, void* data) {
  SignalRecord* record = static_cast<SignalRecord*>(data);
  // Null when the environment is going down.
  if (env != nullptr) {
    napi_value arguments[5];
    arguments[0] = Number(env, record->signal);
    arguments[1] = Number(env, record->code);
    arguments[2] = Number(env, record->pid);
    arguments[3] = Number(env, record->uid);
    size_t length = strnlen(record->comm, kCommSize);
    if (length == 0) {
      napi_get_null(env, &arguments[4]);
    } else {
      napi_create_string_utf8(env, record->comm, length, &arguments[4]);
    }
    napi_value receiver;
    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, listener, 5, arguments, nullptr);
  }
  delete record;
}

// Takes the watch off the list and the handlers off its signals. False when it wasn't there. The mutex is held.
bool Remove(Watch* watch) {
  Watch** place = &watches;
  while (*place != nullptr && *place != watch) place = &(*place)->next;
  if (*place == nullptr) return false;
  *place = watch->next;
  for (int signal = 1; signal < kSignals; signal++) {
    if ((watch->signals & (1u << signal)) != 0 && --watchers[signal] == 0) Uninstall(signal);
  }
  return true;
}

// The environment goes down with the watch open: the reader must not call into it any more.
void RemoveAtCleanup(void* data) {
  MutexLock lock(&mutex);
  Remove(static_cast<Watch*>(data));
}

void Free(napi_env, void* data, void*) { delete static_cast<Watch*>(data); }

bool ReadSignals(napi_env env, napi_value array, uint32_t* signals) {
  uint32_t length;
  if (napi_get_array_length(env, array, &length) != napi_ok) return false;
  *signals = 0;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    int32_t signal;
    if (napi_get_element(env, array, i, &element) != napi_ok) return false;
    if (napi_get_value_int32(env, element, &signal) != napi_ok) return false;
    if (signal < 1 || signal >= kSignals || signal == SIGKILL || signal == SIGSTOP) return false;
    *signals |= 1u << signal;
  }
  return true;
}

// signal_watch(signals: number[], listener): an id above 0, or a negative errno
napi_value SignalWatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  uint32_t signals;
  napi_valuetype type;
  if (!ReadSignals(env, arguments[0], &signals) || napi_typeof(env, arguments[1], &type) != napi_ok ||
      type != napi_function) {
    napi_throw_type_error(env, nullptr, "signal_watch takes an array of signal numbers and a function");
    return nullptr;
  }
  napi_value name;
  napi_create_string_utf8(env, "sd_gateway signal_watch", NAPI_AUTO_LENGTH, &name);
  Watch* watch = new Watch{0, signals, env, nullptr, nullptr};
  if (napi_create_threadsafe_function(env, arguments[1], nullptr, name, 0, 1, watch, Free, nullptr, CallListener,
                                      &watch->function) != napi_ok) {
    delete watch;
    return Number(env, -ENOMEM);
  }
  // A watch is no reason to go on: it is for those who do something else.
  napi_unref_threadsafe_function(env, watch->function);
  MutexLock lock(&mutex);
  int result = StartReader();
  for (int signal = 1; result == 0 && signal < kSignals; signal++) {
    if ((signals & (1u << signal)) == 0) continue;
    result = Install(signal);
  }
  if (result < 0) {
    for (int signal = 1; signal < kSignals; signal++) {
      if ((signals & (1u << signal)) != 0 && watchers[signal] == 0) Uninstall(signal);
    }
    napi_release_threadsafe_function(watch->function, napi_tsfn_abort);
    return Number(env, result);
  }
  for (int signal = 1; signal < kSignals; signal++) {
    if ((signals & (1u << signal)) != 0) watchers[signal]++;
  }
  watch->id = ++last_id;
  watch->next = watches;
  watches = watch;
  // Hooks run in the reverse order: this one before the function's own.
  napi_add_env_cleanup_hook(env, RemoveAtCleanup, watch);
  return Number(env, watch->id);
}

// signal_unwatch(id: number): 1, or 0 when there is no such watch in this environment
napi_value SignalUnwatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t id;
  if (!arguments.Int64(0, &id)) return nullptr;
  MutexLock lock(&mutex);
  Watch* watch = watches;
  while (watch != nullptr && (watch->id != id || watch->env != env)) watch = watch->next;
  if (watch == nullptr) return Number(env, 0);
  Remove(watch);
  napi_remove_env_cleanup_hook(env, RemoveAtCleanup, watch);
  napi_release_threadsafe_function(watch->function, napi_tsfn_abort);
  return Number(env, 1);
}

// signal_reinstall(): 0, or a negative errno. Puts the handlers of all watched signals back to the front.
napi_value SignalReinstall(napi_env env, napi_callback_info) {
  MutexLock lock(&mutex);
  int result = 0;
  for (int signal = 1; result == 0 && signal < kSignals; signal++) {
    if (watchers[signal] > 0) result = Install(signal);
  }
  return Number(env, result);
}

}  // namespace

void InitializeSignal(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "signal_watch", SignalWatch);
  ExportFunction(env, exports, "signal_unwatch", SignalUnwatch);
  ExportFunction(env, exports, "signal_reinstall", SignalReinstall);
}
