#include "tools/load/billing.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

namespace turnpike::load {
namespace {

// Key names a session in both books: ports may be used again, in the order of time.
using Key = std::pair<std::string, std::string>;

std::map<Key, std::vector<const LedgerSession*>> ByAddress(std::span<const LedgerSession> ledger) {
  std::map<Key, std::vector<const LedgerSession*>> sessions;
  for (const LedgerSession& each : ledger) {
    sessions[{each.client_address, each.relayed_address}].push_back(&each);
  }
  return sessions;
}

Key KeyOf(const SessionResult& session) {
  return {session.client.ToString(), session.relayed->ToString()};
}

// Bounds are what the server may have billed for a flow.
struct Bounds {
  uint64_t low = 0;
  uint64_t high = 0;

  Bounds& operator+=(const Bounds& other) {
    low += other.low;
    high += other.high;
    return *this;
  }
};

Bounds BoundsOf(const FlowCounts& counts) {
  return {counts.received_bytes, std::max(counts.received_bytes, counts.sent_bytes)};
}

std::string NameOf(const SessionResult& session, Direction direction) {
  return "session " + std::to_string(session.number) + " (" +
         std::string(TransportName(session.transport)) + ", client " + session.client.ToString() +
         ", relayed " + session.relayed->ToString() + ") " + std::string(DirectionName(direction));
}

void Compare(std::string what, const Bounds& bounds, uint64_t server, BillingResult& result) {
  if (server >= bounds.low && server <= bounds.high) return;
  result.differences.push_back({std::move(what), bounds.low, bounds.high, server});
}

}  // namespace

BillingResult CompareBilling(const BillingInput& input) {
  BillingResult result;
  auto ledger = ByAddress(input.ledger);
  std::array<Bounds, kDirectionCount> sums;
  for (const SessionResult& session : input.sessions) {
    if (!session.relayed) continue;
    ++result.sessions;
    auto& candidates = ledger[KeyOf(session)];
    const LedgerSession* found = nullptr;
    if (!candidates.empty()) {
      found = candidates.front();
      candidates.erase(candidates.begin());
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      const Bounds bounds = BoundsOf(session.counts[i]);
      sums[i] += bounds;
      result.generator_bytes += bounds.low;
      result.undecided_bytes += bounds.high - bounds.low;
      const std::string name = NameOf(session, static_cast<Direction>(i));
      if (found == nullptr) {
        if (i == 0)
          result.differences.push_back(
              {name + " is not in the ledger", bounds.low, bounds.high, 0});
        continue;
      }
      result.ledger_bytes += found->totals.payload_bytes[i];
      Compare(name, bounds, found->totals.payload_bytes[i], result);
    }
    if (found != nullptr) result.ledger.push_back(*found);
  }
  if (!input.metrics) return result;
  result.metrics_bytes = (*input.metrics)[0] + (*input.metrics)[1];
  for (size_t i = 0; i < sums.size(); ++i) {
    Compare("turn_relay_bytes_total " + std::string(DirectionName(static_cast<Direction>(i))),
            sums[i], (*input.metrics)[i], result);
  }
  return result;
}

bool AllClosed(std::span<const SessionResult> sessions, std::span<const LedgerSession> ledger) {
  const auto by_address = ByAddress(ledger);
  return std::ranges::all_of(sessions, [&](const SessionResult& session) {
    if (!session.relayed) return true;
    const auto found = by_address.find(KeyOf(session));
    return found != by_address.end() &&
           std::ranges::all_of(found->second, [](const LedgerSession* s) { return s->ended; });
  });
}

std::optional<std::array<uint64_t, kDirectionCount>> RelayedBytesOf(std::string_view page) {
  constexpr std::string_view kName = "turn_relay_bytes_total{";
  std::array<uint64_t, kDirectionCount> sums{};
  bool found = false;
  while (!page.empty()) {
    const size_t end = std::min(page.find('\n'), page.size());
    const std::string line(page.substr(0, end));
    page.remove_prefix(std::min(end + 1, page.size()));
    if (!line.starts_with(kName)) continue;
    const size_t space = line.rfind(' ');
    for (size_t i = 0; i < sums.size(); ++i) {
      const std::string label =
          "direction=\"" + std::string(DirectionName(static_cast<Direction>(i))) + "\"";
      if (space == std::string::npos || line.find(label) > space) continue;
      // Counters are doubles on the page; below 2^53 those are exact.
      sums[i] += static_cast<uint64_t>(std::llround(std::strtod(line.c_str() + space, nullptr)));
      found = true;
    }
  }
  return found ? std::optional(sums) : std::nullopt;
}

}  // namespace turnpike::load
