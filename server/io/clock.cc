#include "server/io/clock.h"

#include <chrono>

namespace turnpike {

Now ReadClocks() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now();
  return {MonoTime(std::chrono::duration_cast<Duration>(mono)),
          std::chrono::floor<std::chrono::microseconds>(wall)};
}

}  // namespace turnpike
