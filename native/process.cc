// What a process asks of its surroundings: is systemd the init, does it watch us, who is our parent, who is our peer.

#include "process.h"

#include <errno.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "decimal.h"
#include "environment.h"

namespace {

// sd_booted(): 1, 0, or a negative errno
napi_value SdBooted(napi_env env, napi_callback_info) {
  struct stat status;
  if (lstat("/run/systemd/system", &status) == 0) return Number(env, S_ISDIR(status.st_mode) ? 1 : 0);
  return Number(env, errno == ENOENT ? 0 : -errno);
}

// 1 with the interval in µs, 0, or a negative errno.
int WatchdogEnabled(uint64_t* interval) {
  const char* interval_text = getenv("WATCHDOG_USEC");
  if (interval_text == nullptr) return 0;
  // The largest number stands for infinity.
  if (!ParseDecimal(interval_text, UINT64_MAX - 1, interval) || *interval == 0) return -EINVAL;
  const char* pid_text = getenv("WATCHDOG_PID");
  if (pid_text == nullptr) return 1;
  uint64_t pid;
  if (!ParseDecimal(pid_text, INT_MAX, &pid) || pid == 0) return -EINVAL;
  return pid == static_cast<uint64_t>(getpid()) ? 1 : 0;
}

// sd_watchdog_enabled(unset_environment: boolean): interval in µs: bigint | number
napi_value SdWatchdogEnabled(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  bool unset_environment;
  if (!arguments.Boolean(0, &unset_environment)) return nullptr;
  int result = CheckUnset(unset_environment);
  if (result < 0) return Number(env, result);
  uint64_t interval = 0;
  result = WatchdogEnabled(&interval);
  UnsetEnvironment(unset_environment, "WATCHDOG_USEC", "WATCHDOG_PID");
  if (result <= 0) return Number(env, result);
  napi_value value;
  napi_create_bigint_uint64(env, interval, &value);
  return value;
}

// getppid(): number; 0 when the parent is outside this PID namespace
napi_value Getppid(napi_env env, napi_callback_info) { return Number(env, getppid()); }

// flock(fd: number, operation: number): 0, or a negative errno. Never waits.
napi_value Flock(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t fd;
  int32_t operation;
  if (!arguments.Int32(0, &fd) || !arguments.Int32(1, &operation)) return nullptr;
  return Number(env, flock(fd, operation | LOCK_NB) == 0 ? 0 : -errno);
}

// getsockopt_peercred(fd: number): [pid, uid, gid], or a negative errno. See SO_PEERCRED in unix(7).
napi_value GetsockoptPeercred(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t fd;
  if (!arguments.Int32(0, &fd)) return nullptr;
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return Number(env, -errno);
  napi_value array;
  napi_create_array_with_length(env, 3, &array);
  napi_set_element(env, array, 0, Number(env, credentials.pid));
  napi_set_element(env, array, 1, Number(env, credentials.uid));
  napi_set_element(env, array, 2, Number(env, credentials.gid));
  return array;
}

// _exit(status: number): never returns. Waits for no thread, not even one inside a long call, as Node's own exit does.
napi_value Exit(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t status;
  if (!arguments.Int32(0, &status)) return nullptr;
  _exit(status);
}

}  // namespace

void InitializeProcess(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "sd_booted", SdBooted);
  ExportFunction(env, exports, "sd_watchdog_enabled", SdWatchdogEnabled);
  ExportFunction(env, exports, "getppid", Getppid);
  ExportFunction(env, exports, "_exit", Exit);
  ExportFunction(env, exports, "flock", Flock);
  ExportFunction(env, exports, "getsockopt_peercred", GetsockoptPeercred);
}
