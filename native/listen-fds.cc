// sd_listen_fds_with_names(3): the descriptors that the service manager passed to this process.

#include "listen-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "arguments.h"
#include "decimal.h"
#include "descriptor-names.h"
#include "environment.h"

namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr long kPidFileSystem = 0x50494446;  // PID_FS_MAGIC

// The inode of this process's pidfd, which no later process of the same PID has. False where the kernel (before 6.9)
// has no such inodes.
bool OwnPidInode(uint64_t* inode) {
#ifdef SYS_pidfd_open
  int fd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (fd < 0) return false;
  struct statfs file_system;
  struct stat status;
  bool known = fstatfs(fd, &file_system) == 0 && file_system.f_type == kPidFileSystem && fstat(fd, &status) == 0;
  if (known) *inode = status.st_ino;
  close(fd);
  return known;
#else
  (void)inode;
  return false;
#endif
}

int SetCloseOnExec(int fd) {
  int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return -errno;
  return (flags & FD_CLOEXEC) != 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0 ? 0 : -errno;
}

// How many descriptors were passed to this very process, from 3 on, now closed on exec. Or a negative errno.
int ListenFds() {
  const char* pid_text = getenv("LISTEN_PID");
  if (pid_text == nullptr) return 0;
  uint64_t pid;
  if (!ParseDecimal(pid_text, INT_MAX, &pid) || pid == 0) return -EINVAL;
  if (pid != static_cast<uint64_t>(getpid())) return 0;
  if (const char* inode_text = getenv("LISTEN_PIDFDID")) {
    uint64_t inode;
    uint64_t own_inode;
    if (!ParseDecimal(inode_text, UINT64_MAX, &inode)) return -EINVAL;
    if (OwnPidInode(&own_inode) && own_inode != inode) return 0;
  }
  const char* count_text = getenv("LISTEN_FDS");
  if (count_text == nullptr) return 0;
  uint64_t count;
  if (!ParseDecimal(count_text, INT_MAX - kFirst, &count) || count == 0) return -EINVAL;
  for (int fd = kFirst; fd < kFirst + static_cast<int>(count); fd++) {
    int result = SetCloseOnExec(fd);
    if (result < 0) return result;
  }
  return static_cast<int>(count);
}

// The names of `count` descriptors; null when as many were not given.
napi_value Names(napi_env env, int count) {
  const char* names = getenv("LISTEN_FDNAMES");
  if (names != nullptr && CountNames(names) != count) return nullptr;
  napi_value array;
  napi_create_array_with_length(env, static_cast<size_t>(count), &array);
  for (int i = 0; i < count; i++) {
    napi_value name;
    if (names == nullptr) {
      napi_create_string_utf8(env, "unknown", NAPI_AUTO_LENGTH, &name);
    } else {
      DescriptorName next = NextName(&names);
      napi_create_string_utf8(env, next.text, next.length, &name);
    }
    napi_set_element(env, array, static_cast<uint32_t>(i), name);
  }
  return array;
}

// sd_listen_fds_with_names(unset_environment: boolean): names: string[] of the descriptors from 3 on | number
napi_value SdListenFdsWithNames(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  bool unset_environment;
  if (!arguments.Boolean(0, &unset_environment)) return nullptr;
  int result = CheckUnset(unset_environment);
  if (result < 0) return Number(env, result);
  result = ListenFds();
  napi_value names = result > 0 ? Names(env, result) : nullptr;
  UnsetEnvironment(unset_environment, "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES");
  if (result <= 0) return Number(env, result);
  return names == nullptr ? Number(env, -EINVAL) : names;
}

}  // namespace

void InitializeListenFds(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "sd_listen_fds_with_names", SdListenFdsWithNames);
}
