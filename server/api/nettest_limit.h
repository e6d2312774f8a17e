// What the configuration says of the network test's credentials, and how many are given out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <ratio>
#include <string>

#include "common/base/time.h"

namespace turnpike {

// NettestSettings are those of the page /nettest.
struct NettestSettings {
  std::string account = {};  // pays for tests; empty: no credential is given out
  uint32_t per_minute = 60;  // credentials, of all clients together
};

// NettestLimit is a bucket of credentials that refills within a minute. Any thread may call it.
class NettestLimit {
 public:
  // Take says whether one more may be given out at `now`, and counts it if so.
  bool Take(MonoTime now, uint32_t per_minute) {
    const double most = per_minute;
    const std::lock_guard lock(mutex_);
    const double minutes =
        filled_ ? std::chrono::duration<double, std::ratio<60>>(now - *filled_).count() : 1;
    left_ = std::min(most, left_ + minutes * most);
    filled_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  std::mutex mutex_;
  std::optional<MonoTime> filled_;  // nullopt: never yet
  double left_ = 0;
};

}  // namespace turnpike
