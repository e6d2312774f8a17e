// What the metrics and health endpoints read. `app` implements it; HTTP threads call it, so every
// method is safe from any thread and returns published values, never live state that a worker
// mutates unguarded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/ledger_status.h"
#include "server/ops/quota_use.h"
#include "server/turn/stats.h"

namespace turnpike {

// NamedCounter is a counter and the value of its label; every worker has the same names in the same
// order.
struct NamedCounter {
  std::string_view label;
  const Counter* counter = nullptr;
};

// WorkerView is what one relay worker shows. The counters are single-writer and safe to read.
struct WorkerView {
  const TurnStats* stats = nullptr;      // never null
  const Counter* loop_lag_ns = nullptr;  // gauge: the last measured lateness of the loop
  std::vector<NamedCounter> receive_overflows = {};  // datagrams the kernel dropped, by listener
  std::vector<NamedCounter> connections = {};  // gauges: connections and sessions by transport
  std::vector<NamedCounter> connections_closed = {};  // by reason
  std::vector<NamedCounter> tls_handshakes = {};      // by result
  std::vector<NamedCounter> dtls_handshakes = {};     // by result
  std::vector<NamedCounter> dtls_strangers = {};      // datagrams of no session, by action
  const Counter* accept_pauses = nullptr;  // times that accepting paused; null: accepts none
};

// MetricsSource gives one scrape all that it needs.
class MetricsSource {
 public:
  virtual ~MetricsSource() = default;

  virtual std::vector<WorkerView> Workers() const = 0;
  virtual std::shared_ptr<const LedgerStatus> Ledger() const = 0;  // never null

  struct Gauges {
    uint64_t ports_in_use = 0;
    uint64_t ports_total = 0;
    uint64_t reservations = 0;
    uint64_t slots_in_use = 0;
    uint64_t slots_total = 0;
    std::vector<QuotaUse> quotas;
    uint64_t tls_certificate_expires_s = 0;  // Unix time; 0: there is no TLS
    bool draining = false;
    bool config_last_reload_successful = true;
    bool config_restart_needed = false;
    uint64_t config_loaded_s = 0;  // Unix time
  };
  virtual Gauges ReadGauges() const = 0;

  struct Identity {
    std::string node;
    std::string region;
    std::string edge;
    std::string version;
    uint32_t account_series = 1000;  // accounts shown; the rest is `_other`
  };
  virtual const Identity& identity() const = 0;

  // Ready says whether the server takes new allocations; when not, `why` gets a word for the
  // answer.
  virtual bool Ready(std::string* why) const = 0;
};

}  // namespace turnpike
