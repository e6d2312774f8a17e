// Counters of one worker's sockets and loop. The worker writes, any thread may read.
#pragma once

#include "common/base/counter.h"

namespace turnpike {

// IoStats are running totals since the worker was made, and a gauge where said.
struct IoStats {
  Counter receive_overflows;  // datagrams that the kernel dropped: a receive buffer was full
  Counter loop_lag_ns;        // gauge: how late the loop's last heartbeat was
};

}  // namespace turnpike
