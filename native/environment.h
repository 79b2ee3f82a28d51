#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

// The functions of sd-daemon(3) read the process's own environment, environ(7). In Node's main thread that is
// process.env; a worker's process.env is a copy that they never see. All that the addon reads of it:
//   NOTIFY_SOCKET                                          sd_notify(3), at each call
//   LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS, LISTEN_FDNAMES sd_listen_fds(3)
//   WATCHDOG_USEC, WATCHDOG_PID                            sd_watchdog_enabled(3)

// 0; -EPERM in a worker thread: unsetenv(3) there would race with the main thread's process.env.
inline int CheckUnset(bool unset_environment) {
  return unset_environment && gettid() != getpid() ? -EPERM : 0;
}

template <typename... Names>
void UnsetEnvironment(bool unset_environment, Names... names) {
  if (!unset_environment) return;
  (unsetenv(names), ...);
}
