// Signals with their sender. The handler takes down siginfo and the sender's name and writes them to a pipe for each
// watch, whose read end is in the event loop of the watch's environment. Pipes take what comes while the loop is busy.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>

#include "addon.h"
#include "arguments.h"
#include "signal-record.h"
#include "thread.h"

namespace {

// Signals that are offered all have numbers below this.
constexpr int kSignals = 32;
// Room for some 32,000 records that the reader has not come to; more are merged, see Overflow.
constexpr int kPipeSize = 1 << 20;

constexpr uint32_t Bit(int signal) { return uint32_t{1} << signal; }

// A delivery for which the pipe had no room; the next such one of the same signal takes its place. Merging is what
// the kernel does with pending standard signals too: the sender that is told is a true one, and never none.
//
// There are two a signal, as nobody may wait in a handler. The reader holds one at a time, so a handler that finds
// both held knows that another handler is just storing the same signal, and that this one is merged into that.
struct Overflow {
  std::atomic_flag held = ATOMIC_FLAG_INIT;
  SignalRecord record = {};  // signal 0: none
};

struct Watch {
  napi_env env;
  uint32_t signals;
  int read_end;  // the reader's; its number is the watch's id
  int write_end;
  std::atomic<Watch*> next{nullptr};
  Overflow overflows[kSignals][2];
};

// A disposition that was installed before us; its handler is called too. Each is kept for ever, once: a handler may be
// reading it.
struct Disposition {
  struct sigaction action;
  Disposition* next;
};

std::atomic<pid_t> owner{0};
std::atomic<Watch*> watches{nullptr};
// Number of threads that are in the handler, and may be using a watch.
std::atomic<int> handling{0};
std::atomic<const struct sigaction*> previous[kSignals];

// Guards the list of watches, but not from handlers, and what follows.
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Disposition* dispositions = nullptr;

// Reads /proc/PID/comm by async-signal-safe calls alone (signal-safety(7)).
void ReadComm(SignalRecord* record) {
  char path[kCommPathSize];
  FormatCommPath(record->pid, path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (read(fd, record->comm, sizeof(record->comm)) <= 0) record->comm[0] = '\0';
  close(fd);
}

void Put(Watch* watch, const SignalRecord& record) {
  if (write(watch->write_end, &record, sizeof(record)) == static_cast<ssize_t>(sizeof(record))) return;
  for (Overflow& overflow : watch->overflows[record.signal]) {
    if (overflow.held.test_and_set(std::memory_order_acquire)) continue;
    overflow.record = record;
    overflow.held.clear(std::memory_order_release);
    break;
  }
  // The reader may have emptied the pipe meanwhile and be asleep. If there is still no room, it has yet to read.
  SignalRecord wake = {};
  if (write(watch->write_end, &wake, sizeof(wake)) < 0) return;
}

void TakeDown(int signal, const siginfo_t& info) {
  SignalRecord record = RecordOf(signal, info);
  if (record.pid > 0) ReadComm(&record);
  for (Watch* watch = watches.load(); watch != nullptr; watch = watch->next.load()) {
    if ((watch->signals & Bit(signal)) != 0) Put(watch, record);
  }
}

void Handle(int signal, siginfo_t* info, void* context) {
  int saved_errno = errno;
  // A child that has forked and not yet executed shares the pipes: its signals are not ours.
  if (getpid() == owner.load()) {
    handling.fetch_add(1);
    TakeDown(signal, *info);
    handling.fetch_sub(1);
  }
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

uint32_t WatchedSignals() {
  uint32_t signals = 0;
  for (Watch* watch = watches.load(); watch != nullptr; watch = watch->next.load()) signals |= watch->signals;
  return signals;
}

// 0, or a negative errno.
int InstallWatched() {
  uint32_t watched = WatchedSignals();
  int result = 0;
  for (int signal = 1; result == 0 && signal < kSignals; signal++) {
    if ((watched & Bit(signal)) != 0) result = Install(signal);
  }
  return result;
}

// Takes the watch off the list and the handlers off signals that no other has, and frees it. The mutex is held.
void Remove(Watch* watch) {
  std::atomic<Watch*>* place = &watches;
  while (place->load() != watch) place = &place->load()->next;
  place->store(watch->next.load());
  uint32_t unwatched = watch->signals & ~WatchedSignals();
  for (int signal = 1; signal < kSignals; signal++) {
    if ((unwatched & Bit(signal)) != 0) Uninstall(signal);
  }
  // A handler that found it in the list is soon done.
  while (handling.load() != 0) sched_yield();
  close(watch->write_end);
  delete watch;
}

// The environment goes down with the watch open.
void RemoveAtCleanup(void* data) {
  MutexLock lock(&mutex);
  Remove(static_cast<Watch*>(data));
}

// Returns null if there is no such watch in this environment. The mutex is held.
Watch* Find(napi_env env, int32_t id) {
  Watch* watch = watches.load();
  while (watch != nullptr && (watch->read_end != id || watch->env != env)) watch = watch->next.load();
  return watch;
}

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
    *signals |= Bit(signal);
  }
  return true;
}

// signal_watch(signals: number[]): the read end of a pipe of SignalRecords, or a negative errno
napi_value SignalWatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  uint32_t signals;
  if (!ReadSignals(env, arguments[0], &signals)) {
    napi_throw_type_error(env, nullptr, "signal_watch takes an array of signal numbers");
    return nullptr;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return Number(env, -errno);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  // Best effort: with the usual 64 KiB some 2,000 records fit.
  fcntl(ends[1], F_SETPIPE_SZ, kPipeSize);
  MutexLock lock(&mutex);
  owner.store(getpid());
  auto* watch = new Watch;
  watch->env = env;
  watch->signals = signals;
  watch->read_end = ends[0];
  watch->write_end = ends[1];
  watch->next.store(watches.load());
  watches.store(watch);
  int result = InstallWatched();
  if (result < 0) {
    Remove(watch);
    close(ends[0]);
    return Number(env, result);
  }
  napi_add_env_cleanup_hook(env, RemoveAtCleanup, watch);
  return Number(env, ends[0]);
}

// signal_overflow(id: number): a Buffer of the SignalRecords beyond the pipe, which came after all within; null while
// there are some within, or none beyond
napi_value SignalOverflow(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  MutexLock lock(&mutex);
  SignalRecord records[2 * kSignals];
  size_t count = 0;
  Watch* watch = Find(env, id);
  int left = 0;
  if (watch != nullptr && ioctl(watch->write_end, FIONREAD, &left) == 0 && left == 0) {
    for (auto& of_signal : watch->overflows) {
      for (Overflow& overflow : of_signal) {
        // Held by a handler: it writes to the pipe next, so we come back.
        if (overflow.held.test_and_set(std::memory_order_acquire)) continue;
        if (overflow.record.signal != 0) records[count++] = overflow.record;
        overflow.record.signal = 0;
        overflow.held.clear(std::memory_order_release);
      }
    }
  }
  napi_value value;
  if (count == 0) {
    napi_get_null(env, &value);
  } else {
    napi_create_buffer_copy(env, count * sizeof(SignalRecord), records, nullptr, &value);
  }
  return value;
}

// signal_unwatch(id: number): 1, or 0 when there is no such watch in this environment
napi_value SignalUnwatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t id;
  if (!arguments.Int32(0, &id)) return nullptr;
  MutexLock lock(&mutex);
  Watch* watch = Find(env, id);
  if (watch == nullptr) return Number(env, 0);
  napi_remove_env_cleanup_hook(env, RemoveAtCleanup, watch);
  Remove(watch);
  return Number(env, 1);
}

// signal_reinstall(): 0, or a negative errno. Puts the handlers of all watched signals back to the front.
napi_value SignalReinstall(napi_env env, napi_callback_info) {
  MutexLock lock(&mutex);
  return Number(env, InstallWatched());
}

}  // namespace

void InitializeSignal(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "signal_watch", SignalWatch);
  ExportFunction(env, exports, "signal_overflow", SignalOverflow);
  ExportFunction(env, exports, "signal_unwatch", SignalUnwatch);
  ExportFunction(env, exports, "signal_reinstall", SignalReinstall);
}
