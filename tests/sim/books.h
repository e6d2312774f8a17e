// What was relayed, as plain numbers, in the shape of the ledger's tables: the auditor fills one
// from the wires, the ledger's files fill another, and they must be equal to the byte.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace turnpike::sim {

// Tally is one sum. Index 0 is client to peer, 1 peer to client.
struct Tally {
  std::array<uint64_t, 2> payload_bytes{};
  std::array<uint64_t, 2> wire_bytes{};
  std::array<uint64_t, 2> packets{};

  // Count adds one relayed datagram or message.
  void Count(size_t direction, uint64_t payload, uint64_t wire);
  Tally& operator+=(const Tally& other);
  uint64_t billable() const { return payload_bytes[0] + payload_bytes[1]; }

  friend bool operator==(const Tally&, const Tally&) = default;
};

// SessionEntry is what is known of one session.
struct SessionEntry {
  std::string account;
  std::string label;
  std::string username;
  std::string region;
  std::string transport;
  std::string client_address;
  std::string relayed_address;
  int64_t started_at_us = 0;
  std::string close_reason;  // empty while it lives
  int64_t ended_at_us = 0;   // 0 when nobody could see the end (crash)
  Tally tally;
  std::map<std::string, uint64_t> dropped;  // packets, by the reasons that only a kernel gives

  friend bool operator==(const SessionEntry&, const SessionEntry&) = default;
};

// GroupKey is the key of usage_bucket: bucket, account, region, transport, label.
using GroupKey = std::tuple<uint32_t, std::string, std::string, std::string, std::string>;

// Books are the tables.
struct Books {
  std::map<std::string, SessionEntry> sessions;             // by id
  std::map<std::pair<uint32_t, std::string>, Tally> parts;  // by bucket and session
  std::map<GroupKey, Tally> buckets;
  std::map<std::pair<std::string, std::string>, std::array<uint64_t, 2>> totals;  // account, region

  // WithoutBuckets returns the books with every bucket called 0: what remains comparable when an
  // outage lasts for more bucket changes than a slot remembers.
  Books WithoutBuckets() const;
};

// FirstDifference compares table by table and describes the first row that is not the same in both,
// or returns nullopt.
std::optional<std::string> FirstDifference(const Books& audited, const Books& stored);

}  // namespace turnpike::sim
