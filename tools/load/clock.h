// The clocks, for the generator's engine. The sans-IO parts get times as arguments.
#pragma once

#include <ctime>

#include "common/base/time.h"

namespace turnpike::load {

inline Duration ReadClock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

// ReadMono reads the monotonic clock.
inline MonoTime ReadMono() { return MonoTime(ReadClock(CLOCK_MONOTONIC)); }

// ReadWall reads civil time.
inline WallTime ReadWall() {
  return WallTime(std::chrono::floor<std::chrono::microseconds>(ReadClock(CLOCK_REALTIME)));
}

// WallMinusMono is what to take off a civil time of the kernel's to get a monotonic one.
inline Duration WallMinusMono() { return ReadClock(CLOCK_REALTIME) - ReadClock(CLOCK_MONOTONIC); }

}  // namespace turnpike::load
