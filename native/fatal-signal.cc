// Takes down which signal ends the process, for the next start: nothing else of this process can say so any more.

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "addon.h"
#include "arguments.h"

namespace {

// The process's own faults, and the service manager's watchdog.
constexpr int kFatal[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};

std::atomic<int> note{-1};
std::atomic<pid_t> owner{0};
struct sigaction previous[NSIG];

// The watchdog aborts a process that was stopped from outside, too: its event loop has not stalled, the process has.
bool IsOwnFault(int signal, const siginfo_t& info) {
  bool was_sent = info.si_code <= 0 && info.si_pid != getpid();
  return signal != SIGABRT || !was_sent || event_loop_stalls.load();
}

// By async-signal-safe calls alone (signal-safety(7)).
void Handle(int signal, siginfo_t* info, void*) {
  int saved_errno = errno;
  // A child that has forked and not yet executed shares the file.
  if (getpid() == owner.load() && IsOwnFault(signal, *info)) {
    char text[] = {static_cast<char>('0' + signal / 10), static_cast<char>('0' + signal % 10), '\n'};
    if (pwrite(note.load(), text, sizeof(text), 0) < 0) {
    }
  }
  // The action that was there before decides. A fault comes again at the same instruction; a signal that was sent
  // does not.
  sigaction(signal, &previous[signal], nullptr);
  if (info->si_code <= 0) raise(signal);
  errno = saved_errno;
}

// note_fatal_signals(fd: number): 0, or a negative errno. The number of the signal that ends this process is written to
// the beginning of the file, in two decimal digits. The file stays open.
napi_value NoteFatalSignals(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t fd;
  if (!arguments.Int32(0, &fd)) return nullptr;
  bool installed = note.exchange(fd) >= 0;
  owner.store(getpid());
  if (installed) return Number(env, 0);
  struct sigaction ours = {};
  ours.sa_sigaction = Handle;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&ours.sa_mask);
  for (int signal : kFatal) {
    if (sigaction(signal, &ours, &previous[signal]) < 0) return Number(env, -errno);
  }
  return Number(env, 0);
}

}  // namespace

void InitializeFatalSignal(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "note_fatal_signals", NoteFatalSignals);
}
