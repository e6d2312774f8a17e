// Runs a real loop until something has happened.
#pragma once

#include <uv.h>

#include <chrono>

#include "server/io/uv.h"

namespace turnpike {

// LoopUntil turns `loop` until `done()` holds, or until five seconds have passed: then it returns
// false and the test fails. It never waits longer than for the event itself.
template <typename Predicate>
bool LoopUntil(uv_loop_t* loop, Predicate done) {
  struct Guard {
    void OnTimer() { expired = true; }
    bool expired = false;
  } guard;
  UvTimer timer(loop);
  timer.Start<&Guard::OnTimer>(&guard, 5000);
  bool happened = done();
  while (!happened && !guard.expired) {
    uv_run(loop, UV_RUN_ONCE);
    happened = done();
  }
  return happened;
}

}  // namespace turnpike
