// What a check of one server found out: values that the judge, the table and the JSON report share.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/net/transport_address.h"
#include "tools/check/quality.h"

namespace turnpike::check {

// PathKind is a way to a server that is tried.
enum class PathKind : uint8_t { kStunUdp, kTurnUdp, kTurnTcp, kTurnTls, kTurnIpv6 };
inline constexpr std::array kPathKinds = {PathKind::kStunUdp, PathKind::kTurnUdp,
                                          PathKind::kTurnTcp, PathKind::kTurnTls,
                                          PathKind::kTurnIpv6};

// Step is a stage of a path. Each needs those before it.
enum class Step : uint8_t { kDns, kConnect, kTls, kBinding, kChallenge, kAllocate, kRelay };

// Fault says in which way a step failed, as far as advice differs by it.
enum class Fault : uint8_t {
  kNone,
  kName,         // the name is unknown
  kSilent,       // nothing came back in time
  kRefused,      // somebody said that nobody listens, or that no way leads there
  kTls,          // the handshake failed
  kCertificate,  // the handshake went well, but a browser would refuse the certificate
  kCredentials,  // 401 to what had credentials
  kServer,       // the server answered with another error
};

// Names as they stand in reports: `turn-udp`, `allocate`, `silent`.
std::string_view PathName(PathKind kind);
std::string_view StepName(Step step);
std::string_view FaultName(Fault fault);

struct StepResult {
  Step step = Step::kDns;
  Fault fault = Fault::kNone;
  Duration took{};
  std::string detail = "";  // an address, a version, or what went wrong

  bool ok() const { return fault == Fault::kNone; }
};

// TlsResult is what a server shows in a TLS handshake.
struct TlsResult {
  std::vector<std::string> versions;  // those it takes, newest first: `TLSv1.3`
  std::string subject;
  std::vector<std::string> names;  // DNS names and addresses that the certificate is for
  std::string issuer;
  WallTime expires;
  std::string problem;  // why a browser would refuse it; empty: it would not
};

// PathResult is what came of one path.
struct PathResult {
  PathKind kind = PathKind::kStunUdp;
  std::string skipped;  // why it was not tried; empty: it was
  TransportAddress server;
  std::vector<StepResult> steps;  // up to the first that failed
  std::optional<TlsResult> tls;
  std::optional<TransportAddress> mapped;   // this host as the server sees it
  std::optional<TransportAddress> relayed;  // of the first of the two allocations
  std::optional<Quality> quality;           // of a TURN path

  // works says that every step went well.
  bool works() const { return skipped.empty() && !steps.empty() && steps.back().ok(); }
  // failure is the step that failed, or nullptr.
  const StepResult* failure() const {
    return skipped.empty() && !steps.empty() && !steps.back().ok() ? &steps.back() : nullptr;
  }
};

// NatMapping is how this network's NAT chooses ports (RFC 5780 §4.3).
enum class NatMapping : uint8_t {
  kUnknown,              // UDP does not work, or the server has only one address
  kNone,                 // no NAT: the server sees this host's own address
  kEndpointIndependent,  // one port whatever the destination
  kAddressDependent,
  kAddressAndPortDependent,  // a port for each destination: "symmetric"
};
std::string_view NatName(NatMapping mapping);

// Edge is a server to check, as the user or a fleet's list names it. A port of 0 is not tried.
struct Edge {
  std::string name;    // the host, unless a list says otherwise
  std::string region;  // may be empty
  std::string host;    // a name, or an address without brackets
  uint16_t udp_port = 3478;
  uint16_t tcp_port = 3478;
  uint16_t tls_port = 5349;
};

struct EdgeResult {
  Edge edge;
  std::vector<PathResult> paths;  // one for each of kPathKinds, in their order
  NatMapping nat = NatMapping::kUnknown;

  const PathResult& path(PathKind kind) const { return paths[static_cast<size_t>(kind)]; }
};

// BestPath returns the path that a call would take: UDP where it works, then IPv6, TCP and TLS;
// nullptr when none does.
const PathResult* BestPath(const EdgeResult& edge);

}  // namespace turnpike::check
