// sd_notify(3): messages to the service manager. The protocol is spoken here; libsystemd is not needed.

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "addon.h"
#include "arguments.h"

namespace {

// Made when the library is loaded, and never destroyed: its thread may outlive main().
DatagramSender* const sender = new DatagramSender(/*wait_for_buffers=*/true, /*maximum_waiting_fds=*/SIZE_MAX);

// The process's own environment, which is process.env in Node's main thread: a worker's process.env is a copy.
int Notify(const Datagram& state) { return SendNotification(getenv("NOTIFY_SOCKET"), state); }

// NOTIFY_BUFFER_MAX of systemd.
constexpr size_t kLongest = 4096;

bool IsPrintableAscii(const char* text, size_t size) {
  // No way out of the loop, so that it is done many bytes at a time.
  unsigned char wrong = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    wrong |= static_cast<unsigned char>((byte < 0x20) | (byte > 0x7e));
  }
  return wrong == 0;
}

// sd_notify(state: string, status: string): number. The message is both, put together where they are sent from. -EILSEQ
// for a status that has to be edited first: anything but one line of printable ASCII that fits into a message.
napi_value SdNotify(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Utf8 state;
  if (!state.Append(env, arguments[0])) return nullptr;
  size_t head = state.size();
  if (!state.Append(env, arguments[1])) return nullptr;
  size_t status = state.size() - head;
  if (status != 0 && (state.size() > kLongest || !IsPrintableAscii(state.data() + head, status))) {
    return Number(env, -EILSEQ);
  }
  if (state.has_nul()) return Number(env, -EINVAL);
  return Number(env, Notify({state.data(), state.size()}));
}

// sd_pid_notify_with_fds(pid: number, state: string, fds: number[]): number
napi_value SdPidNotifyWithFds(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t pid;
  Utf8 state;
  if (!arguments.Int32(0, &pid) || !state.Append(env, arguments[1])) return nullptr;
  uint32_t count = 0;
  if (napi_get_array_length(env, arguments[2], &count) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "an array of descriptors is needed");
    return nullptr;
  }
  int fds[253];
  if (count > sizeof(fds) / sizeof(*fds)) return Number(env, -E2BIG);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    if (napi_get_element(env, arguments[2], i, &element) != napi_ok) return nullptr;
    if (napi_get_value_int32(env, element, &fds[i]) != napi_ok) {
      napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a descriptor is a number");
      return nullptr;
    }
  }
  if (state.has_nul() || pid < 0) return Number(env, -EINVAL);
  // With the set-user-ID bit the kernel would tell the effective ids; the manager is told the real ones.
  bool credentials = (pid != 0 && pid != getpid()) || getuid() != geteuid() || getgid() != getegid();
  Datagram datagram = {state.data(), state.size(), fds, count, credentials ? (pid != 0 ? pid : getpid()) : 0};
  return Number(env, Notify(datagram));
}

// sd_notify_barrier(): the read end of a pipe that hangs up once the manager has taken in all that was sent before, after
// an errno where the barrier had to wait and could then not be sent; 0 without NOTIFY_SOCKET, or a negative errno
napi_value SdNotifyBarrier(napi_env env, napi_callback_info) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return Number(env, -errno);
  int result = Notify({"BARRIER=1", 9, &ends[1], 1, 0, /*tells_failure=*/true});
  close(ends[1]);
  if (result > 0) return Number(env, ends[0]);
  close(ends[0]);
  return Number(env, result);
}

// sd_notify_queue(): [waiting: number, failed: number, errno of the last failure: number]
napi_value SdNotifyQueue(napi_env env, napi_callback_info) {
  auto [waiting, failed, last_error] = sender->queue_state();
  return Numbers(env, {waiting, failed, last_error});
}

}  // namespace

int SendNotification(const char* address, const Datagram& state) {
  return address == nullptr ? 0 : sender->Send(address, state);
}

void InitializeNotify(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "sd_notify", SdNotify);
  ExportFunction(env, exports, "sd_pid_notify_with_fds", SdPidNotifyWithFds);
  ExportFunction(env, exports, "sd_notify_barrier", SdNotifyBarrier);
  ExportFunction(env, exports, "sd_notify_queue", SdNotifyQueue);
}
