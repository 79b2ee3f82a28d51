// Facts that a signal handler takes down of any siginfo_t. An input is the code, the PID and the UID, four bytes
// each.

#include "../../../native/signal-record.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>

#include <string>
#include <vector>

#include "expect.h"

namespace {

constexpr int kSignal = SIGTERM;
// The place of si_pid and si_uid, and all that other codes have there.
constexpr size_t kUnion = offsetof(siginfo_t, si_pid);

// By itself, or the compiler would know what it reads and that this had once been allowed.
__attribute__((noinline)) SignalRecord RecordAlone(const siginfo_t& info) { return RecordOf(kSignal, info); }

SignalRecord Take(int code, int32_t pid, uint32_t uid) {
  siginfo_t info;
  memset(&info, 0xa5, sizeof(info));
  info.si_code = code;
  info.si_pid = pid;
  info.si_uid = uid;
  bool sender = code == SI_USER || code == SI_QUEUE || code == SI_TKILL || code == SI_MESGQ;
  // AddressSanitizer reports each byte of it that is read.
  if (!sender) ASAN_POISON_MEMORY_REGION(reinterpret_cast<char*>(&info) + kUnion, sizeof(info) - kUnion);
  SignalRecord record = RecordAlone(info);
  ASAN_UNPOISON_MEMORY_REGION(&info, sizeof(info));
  EXPECT(HasSender(code) == sender);
  EXPECT(record.signal == kSignal && record.code == code);
  EXPECT(record.pid == (sender ? pid : 0) && record.uid == (sender ? uid : 0));
  EXPECT(std::string(record.comm, kCommSize) == std::string(kCommSize, '\0'));
  return record;
}

void ExpectPath(pid_t pid) {
  // No byte more than is allowed.
  std::vector<char> path(kCommPathSize, '\xa5');
  FormatCommPath(pid, path.data());
  char expected[64];
  int length = snprintf(expected, sizeof(expected), "/proc/%d/comm", pid);
  EXPECT(static_cast<size_t>(length) < path.size());
  EXPECT(memcmp(path.data(), expected, static_cast<size_t>(length) + 1) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct {
    int32_t code, pid;
    uint32_t uid;
  } input;
  if (size < sizeof(input)) return 0;
  memcpy(&input, data, sizeof(input));
  SignalRecord record = Take(input.code, input.pid, input.uid);
  if (record.pid > 0) ExpectPath(record.pid);
  return 0;
}
