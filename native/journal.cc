// The journal's native protocol: one entry a datagram, or in a sealed memfd when it is too large for one
// (systemd.io, "Native Journal Protocol").

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"
#include "arguments.h"

namespace {

// Beyond this an entry goes by memfd at once: it may have to wait in the queue, where it is too late to find out that
// the socket's buffer can't hold it.
constexpr size_t kMaximumDatagram = 128 * 1024;

// The largest entry that journald takes (ENTRY_SIZE_MAX).
constexpr size_t kMaximumEntry = 768 * 1024 * 1024;

// Large entries that wait for a journald which does not read.
constexpr size_t kMaximumWaitingFds = 16;

// Made when the library is loaded, and never destroyed: its thread may outlive main().
DatagramSender* const sender = new DatagramSender(/*wait_for_buffers=*/false, kMaximumWaitingFds);

// A descriptor of the entry, which nobody can change any more; or a negative errno.
int SealedMemory(const char* data, size_t size) {
  int fd = memfd_create("sd-gateway-journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  for (size_t written = 0; written < size;) {
    ssize_t count = write(fd, data + written, size - written);
    if (count >= 0) {
      written += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      int error = errno;
      close(fd);
      return -error;
    }
  }
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

}  // namespace

int SendJournalEntry(const char* address, const char* data, size_t size) {
  if (size > kMaximumEntry) return -E2BIG;
  if (size <= kMaximumDatagram) {
    int result = sender->Send(address, {data, size});
    if (result != -EMSGSIZE && result != -ENOBUFS) return result;
  }
  int fd = SealedMemory(data, size);
  if (fd < 0) return fd;
  int result = sender->Send(address, {nullptr, 0, &fd, 1});
  close(fd);
  return result;
}

namespace {

// journal_send(address: string, entry: string | Uint8Array): 1 sent, 2 queued, or a negative errno
napi_value JournalSend(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Utf8 address;
  if (!address.Append(env, arguments[0])) return nullptr;
  if (address.has_nul()) return Number(env, -EINVAL);
  bool is_bytes = false;
  napi_is_typedarray(env, arguments[1], &is_bytes);
  if (is_bytes) {
    napi_typedarray_type type;
    size_t length;
    void* data;
    napi_get_typedarray_info(env, arguments[1], &type, &length, &data, nullptr, nullptr);
    if (type == napi_uint8_array) return Number(env, SendJournalEntry(address.data(), static_cast<char*>(data), length));
  }
  Utf8 entry;
  if (!entry.Append(env, arguments[1])) return nullptr;
  return Number(env, SendJournalEntry(address.data(), entry.data(), entry.size()));
}

// journal_flush(timeout: number in ms): whether nothing waits any more
napi_value JournalFlush(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t timeout;
  if (!arguments.Int64(0, &timeout)) return nullptr;
  napi_value value;
  napi_get_boolean(env, sender->Flush(timeout), &value);
  return value;
}

// journal_queue(): [waiting: number, failed: number, errno of the last failure: number]
napi_value JournalQueue(napi_env env, napi_callback_info) {
  auto [waiting, failed, last_error] = sender->queue_state();
  return Numbers(env, {waiting, failed, last_error});
}

}  // namespace

void InitializeJournal(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "journal_send", JournalSend);
  ExportFunction(env, exports, "journal_flush", JournalFlush);
  ExportFunction(env, exports, "journal_queue", JournalQueue);
}
