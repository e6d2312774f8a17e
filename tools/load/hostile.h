// Clients that mean harm: what they did, and what the server answered.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "tools/load/plan.h"
#include "tools/load/result.h"
#include "tools/load/run.h"

namespace turnpike::load {

// Hostility is a kind of them.
enum class Hostility : uint8_t {
  kBadAuth,       // Allocate requests under a wrong password
  kNoPermission,  // Send indications to, and datagrams from, peers without a permission
  kSlowReader,    // clients over TCP or TLS that never read what their peers send
  kHalfTls,       // TLS handshakes that stop in the middle of the ClientHello
};

// ParseHostility reads `bad-auth`, `no-permission`, `slow-reader` or `half-tls`. It fails with a
// sentence.
std::expected<Hostility, std::string> ParseHostility(std::string_view name);

// HostilePlan is a run of theirs: the server, the credentials, the peers' address, the number of
// sessions and the duration are those of `plan`.
struct HostilePlan {
  Plan plan;
  Hostility kind = Hostility::kBadAuth;
  double per_second = 1000;  // requests, datagrams or handshakes, over all sessions
};

// HostileResult has counts under names that are sentences' beginnings: `requests with a wrong
// password`, `answered 401 (Unauthenticated)`.
struct HostileResult {
  std::string kind;
  double seconds = 0;
  bool interrupted = false;
  std::map<std::string, uint64_t> did;
  std::map<std::string, uint64_t> answered;
  // closing is how long the server bore with a handshake that did not go on.
  Histogram closing;
  double generator_cpu_seconds = 0;
  std::optional<ProcessCost> server_cost;
  std::string error;  // why nothing could be done; empty: something was
};

// RunHostile does it, on one thread, and leaves no allocation behind where the server answers.
HostileResult RunHostile(const HostilePlan& hostile, const RunHooks& hooks);

// WriteHostileTable writes it for people, WriteHostileJson for programs.
void WriteHostileTable(const HostileResult& result, std::ostream& out);
void WriteHostileJson(const HostileResult& result, std::ostream& out);

}  // namespace turnpike::load
