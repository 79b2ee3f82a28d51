#pragma once

#include <stdint.h>
#include <time.h>

// CLOCK_MONOTONIC in milliseconds.
inline int64_t MonotonicMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

inline timespec MonotonicTime(int64_t milliseconds) {
  timespec time;
  time.tv_sec = static_cast<time_t>(milliseconds / 1000);
  time.tv_nsec = static_cast<long>(milliseconds % 1000) * 1'000'000;
  return time;
}
