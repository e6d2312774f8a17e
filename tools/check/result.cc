#include "tools/check/result.h"

namespace turnpike::check {

std::string_view PathName(PathKind kind) {
  constexpr std::string_view kNames[] = {"stun-udp", "turn-udp", "turn-tcp", "turn-tls",
                                         "turn-ipv6"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view StepName(Step step) {
  constexpr std::string_view kNames[] = {"dns",       "connect",  "tls",  "binding",
                                         "challenge", "allocate", "relay"};
  return kNames[static_cast<size_t>(step)];
}

std::string_view FaultName(Fault fault) {
  constexpr std::string_view kNames[] = {"none", "name",        "silent",      "refused",
                                         "tls",  "certificate", "credentials", "server"};
  return kNames[static_cast<size_t>(fault)];
}

std::string_view NatName(NatMapping mapping) {
  constexpr std::string_view kNames[] = {"unknown", "none", "endpoint-independent",
                                         "address-dependent", "address-and-port-dependent"};
  return kNames[static_cast<size_t>(mapping)];
}

const PathResult* BestPath(const EdgeResult& edge) {
  for (const PathKind kind :
       {PathKind::kTurnUdp, PathKind::kTurnIpv6, PathKind::kTurnTcp, PathKind::kTurnTls}) {
    if (edge.path(kind).works()) return &edge.path(kind);
  }
  return nullptr;
}

}  // namespace turnpike::check
