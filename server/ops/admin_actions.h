// What an operator can see of the sessions, and make the server do. `app` implements it; any thread
// may call it.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/metering/usage.h"
#include "server/ops/quota_use.h"
#include "server/turn/revocation.h"

namespace turnpike {

// ReloadReport says what became of a reload. Nothing in it is a secret.
struct ReloadReport {
  std::vector<std::string> problems;       // why nothing was changed; empty: the reload succeeded
  std::vector<std::string> changes;        // `limits.max_lifetime: 1h -> 2h`
  std::vector<std::string> needs_restart;  // changes in the file that wait for a restart

  bool ok() const { return problems.empty(); }
};

// LiveSession is a session and its counters at one moment.
struct LiveSession {
  SessionInfo info;
  UsageTotals totals;
  uint64_t dropped_packets = 0;
  // Payload per second over the last moments, by Direction; nullopt until it was seen twice.
  std::optional<std::array<uint64_t, kDirectionCount>> bytes_per_second;
};

// AdminActions are what changes a running server.
class AdminActions {
 public:
  virtual ~AdminActions() = default;

  // Drain refuses new allocations from now on and ends the server when the last one has ended. A
  // second call changes nothing. LiveSessions counts those that are left.
  virtual void Drain() = 0;
  virtual uint64_t LiveSessions() const = 0;

  // Reload reads the configuration again and serves by it: all of it, or, when anything is wrong,
  // none. It returns when every worker does.
  virtual ReloadReport Reload() = 0;

  // Sessions lists those that live. It fails with a sentence when they cannot be read in time.
  virtual std::expected<std::vector<LiveSession>, std::string> Sessions() = 0;

  // KillSessions ends them with the reason `killed`, soon.
  virtual void KillSessions(const std::vector<SessionId>& sessions) = 0;

  // Revoke holds from now on, also after a restart. It fails with a sentence when it cannot be kept
  // on disk, and then holds until the end of this process.
  virtual std::expected<void, std::string> Revoke(const Revocation& revocation) = 0;

  // Quotas tells how much of each limit in force is in use.
  virtual std::vector<QuotaUse> Quotas() const = 0;

  // admin_token authorises what changes the server; empty: nothing does.
  virtual std::string admin_token() const = 0;
};

}  // namespace turnpike
