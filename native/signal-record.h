#pragma once

#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

// Facts of a delivery that its handler takes down. Everything here is async-signal-safe (signal-safety(7)), and makes
// no system call.

// TASK_COMM_LEN with its NUL. Those of kernel threads are longer in /proc.
constexpr size_t kCommSize = 16;

// One delivery of a signal, as src/systemd/signals.ts reads it. Written to a pipe whole or not at all.
struct SignalRecord {
  int32_t signal;
  int32_t code;
  int32_t pid;
  uint32_t uid;
  // The first bytes of /proc/PID/comm, NULs behind them; empty when the sender was gone.
  char comm[kCommSize];
};
static_assert(sizeof(SignalRecord) <= PIPE_BUF, "a record is written to a pipe in one piece");

// si_pid and si_uid share their place with other things; only these codes say that a process is meant.
inline bool HasSender(int code) { return code == SI_USER || code == SI_QUEUE || code == SI_TKILL || code == SI_MESGQ; }

// All but the name of the sender; pid and uid are 0 when there is none.
inline SignalRecord RecordOf(int signal, const siginfo_t& info) {
  SignalRecord record = {};
  record.signal = signal;
  record.code = info.si_code;
  if (HasSender(info.si_code)) {
    record.pid = info.si_pid;
    record.uid = info.si_uid;
  }
  return record;
}

// "/proc/", ten digits at most, "/comm" and the NUL.
constexpr size_t kCommPathSize = 22;

// Writes "/proc/PID/comm". `pid` is above 0.
inline void FormatCommPath(pid_t pid, char path[kCommPathSize]) {
  char digits[10];
  size_t count = 0;
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  size_t length = sizeof("/proc/") - 1;
  memcpy(path, "/proc/", length);
  while (count > 0) path[length++] = digits[--count];
  memcpy(path + length, "/comm", sizeof("/comm"));
}
