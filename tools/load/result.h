// What a run has measured.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/metering/usage.h"
#include "common/net/five_tuple.h"
#include "tools/load/flow_account.h"
#include "tools/load/histogram.h"
#include "tools/load/timeline.h"

namespace turnpike::load {

// Micros and Millis are a duration as reports write it.
inline double Micros(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }
inline double Millis(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

// SessionResult is one session, closed.
struct SessionResult {
  uint32_t number = 0;
  Transport transport = Transport::kUdp;
  std::optional<TransportAddress> relayed;  // not set when it never got an allocation
  TransportAddress client;                  // as the server saw it
  std::array<FlowCounts, kDirectionCount> counts;
  uint64_t kernel_drops = 0;  // of its own sockets, for full receive buffers
  std::string failure;        // why it ended before its time; empty: it did not
};

// Measurements are what a thread records packet by packet.
struct Measurements {
  // latency is from the intended time of sending to the arrival; of an echo, from the client's
  // intended time to the return.
  std::array<Histogram, kDirectionCount> latency;
  Histogram lateness;   // how late packets left: the generator's own fault
  Histogram gap_error;  // by how much the gaps between a flow's packets were too long or too short
  Timeline timeline;
  uint64_t small_packets = 0;    // arrived, without room for a stamp: they have no latency
  uint64_t foreign_packets = 0;  // arrived and are not of this run
  // trains counts the sends of plain UDP, echoes included: a GSO train of packets is one.
  uint64_t trains = 0;
  uint64_t train_packets = 0;  // that they held

  void Merge(const Measurements& other);
};

// ProcessCost is what a process used in the time of traffic.
struct ProcessCost {
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;
};

// LedgerSession is a session as the server's ledger has it.
struct LedgerSession {
  std::string client_address;
  std::string relayed_address;
  bool ended = false;
  UsageTotals totals;
  std::string account;
  std::string region;
  std::string transport;
  std::string label;
};

// BillingDifference is a session (or the total) whose bytes are not those of the server.
struct BillingDifference {
  std::string what;  // which session and which direction
  uint64_t generator_low = 0;
  uint64_t generator_high = 0;
  uint64_t server = 0;
};

// BillingResult says how the generator's bytes compare to the server's.
struct BillingResult {
  uint64_t sessions = 0;         // compared
  uint64_t generator_bytes = 0;  // received at the far ends, both directions
  uint64_t ledger_bytes = 0;
  uint64_t undecided_bytes = 0;  // lost on the way: before or after the server, nobody can tell
  std::optional<uint64_t> metrics_bytes;
  std::vector<BillingDifference> differences;
  std::vector<LedgerSession> ledger;  // what was compared
  std::string error;                  // why nothing could be compared
  bool passed() const { return differences.empty() && error.empty(); }
};

// ForecastResult says how the bill that was foretold compares to that of the ledger's bytes.
struct ForecastResult {
  uint64_t forecast_bytes = 0;
  uint64_t ledger_bytes = 0;
  std::string forecast_total;  // with the currency
  std::string ledger_total;
  bool is_equal = false;
  std::string error;  // why they cannot be compared
  bool passed() const { return is_equal && error.empty(); }
};

// RunResult is the whole run.
struct RunResult {
  std::string command = "load";  // of turnpike
  std::string server;
  WallTime started_at{};
  double seconds = 0;  // of traffic
  bool echo = false;
  bool interrupted = false;
  std::vector<SessionResult> sessions;
  Measurements measurements;
  ProcessCost generator;
  std::optional<ProcessCost> server_cost;
  std::optional<BillingResult> billing;
  std::optional<ForecastResult> forecast;
  std::string error;  // why the run as a whole is worth nothing; empty: it is worth something

  // totals adds up a direction of all sessions.
  FlowCounts totals(Direction direction) const;
  // relayed_packets and relayed_bytes are what came through the server, both directions.
  uint64_t relayed_packets() const;
  uint64_t relayed_bytes() const;
  // loss is the share of sent packets that did not arrive, 0 to 1.
  double loss() const;
  // kernel_drops and unsent_packets are losses that the generator itself caused.
  uint64_t kernel_drops() const;
  uint64_t unsent_packets() const;
  // latency is that of both directions; of an echo, the round trip's.
  Histogram latency() const;
  // packets_per_train is how many packets of one flow left in one send of plain UDP, in the mean:
  // a generator that is late sends longer trains, which cost a server less. 0: none left.
  double packets_per_train() const;
  // failures counts the sessions that failed, by reason.
  std::map<std::string, uint64_t> failures() const;
};

}  // namespace turnpike::load
