// What all sessions of one thread share.
#pragma once

#include <vector>

#include "common/base/time.h"
#include "tools/load/dtls_leg.h"
#include "tools/load/plan.h"
#include "tools/load/random.h"
#include "tools/load/result.h"
#include "tools/load/send_queue.h"
#include "tools/load/tls_stream.h"
#include "tools/load/udp_receiver.h"
#include "tools/load/udp_sender.h"

namespace turnpike::load {

// ThreadContext is owned by the worker and outlives its sessions.
struct ThreadContext {
  explicit ThreadContext(const Plan& the_plan) : plan(the_plan), out(random) {}

  // Flush sends what waits in `out`, and tells the sessions what became of it.
  void Flush();

  const Plan& plan;
  KernelRandom random;
  TlsClientContext tls;
  DtlsClientContext dtls;
  UdpReceiver receiver;
  SendQueue out;  // packets that are due, and what peers send back
  UdpSender sender;
  Measurements measurements;
  MonoTime now;             // of this turn of the loop
  Duration wall_to_mono{};  // likewise

 private:
  // Run is a train, and which messages of which part are in it.
  struct Run {
    const SendQueue::Part* part;
    size_t first;
  };
  void SplitIntoTrains(const SendQueue::Part& part, int fd);

  std::vector<Train> trains_;  // of the flush under way, and beside each its run
  std::vector<Run> runs_;
};

}  // namespace turnpike::load
