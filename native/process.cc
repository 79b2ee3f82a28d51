// Questions of a process to the kernel about itself, its descriptors and its peers.

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "addon.h"
#include "arguments.h"

namespace {

constexpr long kPidFileSystem = 0x50494446;  // PID_FS_MAGIC

// getppid(): number; 0 when the parent is outside this PID namespace
napi_value Getppid(napi_env env, napi_callback_info) { return Number(env, getppid()); }

// pidfd_inode(): bigint, the inode of this process's pidfd, which no later process of the same PID has; or a negative
// errno: -EOPNOTSUPP where the kernel (before 6.9) has no such inodes
napi_value PidfdInode(napi_env env, napi_callback_info) {
#ifdef SYS_pidfd_open
  int fd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (fd < 0) return Number(env, -errno);
  struct statfs file_system;
  struct stat status;
  bool known = fstatfs(fd, &file_system) == 0 && file_system.f_type == kPidFileSystem && fstat(fd, &status) == 0;
  close(fd);
  if (known) {
    napi_value value;
    napi_create_bigint_uint64(env, status.st_ino, &value);
    return value;
  }
#endif
  return Number(env, -EOPNOTSUPP);
}

// set_close_on_exec(fd: number): 0, or a negative errno. See F_SETFD of fcntl(2).
napi_value SetCloseOnExec(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t fd;
  if (!arguments.Int32(0, &fd)) return nullptr;
  int flags = fcntl(fd, F_GETFD);
  return Number(env, flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0);
}

// pipe2(): [read, write], or a negative errno. Both ends are closed on exec; see O_CLOEXEC of pipe2(2).
napi_value Pipe2(napi_env env, napi_callback_info) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) return Number(env, -errno);
  return Numbers(env, {fds[0], fds[1]});
}

// prlimit_nofile(pid: number, soft: number): 0, or a negative errno. Lowers the soft limit of another process's descriptors;
// see RLIMIT_NOFILE of prlimit(2).
napi_value PrlimitNofile(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t pid;
  int32_t soft;
  if (!arguments.Int32(0, &pid) || !arguments.Int32(1, &soft)) return nullptr;
  rlimit limit;
  if (prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) < 0) return Number(env, -errno);
  limit.rlim_cur = std::min(limit.rlim_cur, static_cast<rlim_t>(soft));
  return Number(env, prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) < 0 ? -errno : 0);
}

// waitpid(pid: number): the PID of a child that had ended, 0 if it still runs, or a negative errno. Never waits; see WNOHANG
// of waitpid(2).
napi_value WaitPid(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t pid;
  if (!arguments.Int32(0, &pid)) return nullptr;
  // Others would be reaped too.
  if (pid <= 0) return Number(env, -EINVAL);
  pid_t reaped = waitpid(pid, nullptr, WNOHANG);
  return Number(env, reaped < 0 ? -errno : reaped);
}

// set_dumpable(dumpable: number): 0, or a negative errno. See PR_SET_DUMPABLE of prctl(2).
napi_value SetDumpable(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t dumpable;
  if (!arguments.Int32(0, &dumpable)) return nullptr;
  return Number(env, prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0 ? -errno : 0);
}

// set_child_subreaper(subreaper: number): 0, or a negative errno. See PR_SET_CHILD_SUBREAPER of prctl(2).
napi_value SetChildSubreaper(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t subreaper;
  if (!arguments.Int32(0, &subreaper)) return nullptr;
  return Number(env, prctl(PR_SET_CHILD_SUBREAPER, subreaper, 0, 0, 0) < 0 ? -errno : 0);
}

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
  return Numbers(env, {credentials.pid, credentials.uid, credentials.gid});
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
  ExportFunction(env, exports, "getppid", Getppid);
  ExportFunction(env, exports, "pidfd_inode", PidfdInode);
  ExportFunction(env, exports, "set_close_on_exec", SetCloseOnExec);
  ExportFunction(env, exports, "_exit", Exit);
  ExportFunction(env, exports, "flock", Flock);
  ExportFunction(env, exports, "pipe2", Pipe2);
  ExportFunction(env, exports, "prlimit_nofile", PrlimitNofile);
  ExportFunction(env, exports, "set_child_subreaper", SetChildSubreaper);
  ExportFunction(env, exports, "set_dumpable", SetDumpable);
  ExportFunction(env, exports, "getsockopt_peercred", GetsockoptPeercred);
  ExportFunction(env, exports, "waitpid", WaitPid);
}
