// Trying one path to a server: sockets, clocks and the loop of the check.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "common/net/five_tuple.h"
#include "tools/check/result.h"

namespace turnpike::check {

// Credential authenticates allocations.
struct Credential {
  std::string username;
  std::string password;
};

// ProbeOptions say how each path is tried.
struct ProbeOptions {
  Credential credential;
  Duration patience = std::chrono::seconds(5);  // for one step
  Duration duration = std::chrono::seconds(3);  // of the stream that is measured
  double kbits = 100;                           // its rate
  std::string authorities;                      // a PEM file: who may vouch for certificates
  bool insecure = false;                        // go on after a certificate was refused
};

// Probe is one path to try: `transport` to `server`, which stands behind the name `host`.
struct Probe {
  PathKind kind = PathKind::kTurnUdp;
  Transport transport = Transport::kUdp;
  TransportAddress server;
  std::string host;
};

// ProbeTurn opens two allocations on the server and sends a stream from one to the other, through
// the relay and through nothing else; then it gives them back. `result` has what came before (DNS)
// and gets the steps, up to the first that fails. `measuring` is held while the stream flows, so
// that streams of several paths do not disturb each other.
void ProbeTurn(const Probe& probe, const ProbeOptions& options, std::mutex& measuring,
               PathResult& result);

// ProbeStun sends a Binding request to the server, and with its answers finds out how the NAT maps,
// if the server has a second address (RFC 5780 §4.3).
void ProbeStun(const Probe& probe, const ProbeOptions& options, PathResult& result,
               NatMapping& nat);

}  // namespace turnpike::check
