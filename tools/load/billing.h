// Holds the generator's own byte counts against the server's books.
//
// What must agree (common/metering/usage.h): the server bills a payload when its kernel has taken
// the datagram or message. The generator knows what it sent at one end and what it received at the
// other. A flow that lost nothing has one number at both ends, and the ledger must have the same. A
// flow with losses has two: what was received was billed for certain, and what was lost was billed
// if it was lost behind the server. The ledger must then lie between what was received and what was
// sent.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/result.h"

namespace turnpike::load {

// BillingInput is both sides' books.
struct BillingInput {
  std::span<const SessionResult> sessions;
  std::span<const LedgerSession> ledger;
  // What the server's metrics grew by during the run, per direction.
  std::optional<std::array<uint64_t, kDirectionCount>> metrics;
};

// CompareBilling compares session by session, matched by the client's and the relayed address, and
// in total. Sessions that never got an allocation have no bill.
BillingResult CompareBilling(const BillingInput& input);

// AllClosed says whether the ledger has every session's end.
bool AllClosed(std::span<const SessionResult> sessions, std::span<const LedgerSession> ledger);

// RelayedBytesOf adds up turn_relay_bytes_total of a metrics page by direction; nullopt when the
// page does not have it.
std::optional<std::array<uint64_t, kDirectionCount>> RelayedBytesOf(std::string_view metrics_page);

}  // namespace turnpike::load
