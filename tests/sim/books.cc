#include "tests/sim/books.h"

#include <fmt/format.h>

namespace turnpike::sim {
namespace {

std::string Show(const std::array<uint64_t, 2>& pair) {
  return std::to_string(pair[0]) + "/" + std::to_string(pair[1]);
}

std::string Show(const Tally& tally) {
  return "payload " + Show(tally.payload_bytes) + " wire " + Show(tally.wire_bytes) + " packets " +
         Show(tally.packets);
}

std::string Show(const SessionEntry& entry) {
  std::string text = "account '" + entry.account + "' label '" + entry.label + "' username '" +
                     entry.username + "' region " + entry.region + " " + entry.transport +
                     " client " + entry.client_address + " relayed " + entry.relayed_address +
                     " started " + std::to_string(entry.started_at_us) + " ended " +
                     std::to_string(entry.ended_at_us) + " '" + entry.close_reason + "' " +
                     Show(entry.tally) + " dropped";
  for (const auto& [reason, packets] : entry.dropped) {
    text += " " + reason + "=" + std::to_string(packets);
  }
  return text;
}

std::string Show(const std::string& id) { return id; }
std::string Show(const std::pair<uint32_t, std::string>& key) {
  return "bucket " + std::to_string(key.first) + " session " + key.second;
}
std::string Show(const std::pair<std::string, std::string>& key) {
  return "account '" + key.first + "' region " + key.second;
}
std::string Show(const GroupKey& key) {
  const auto& [bucket, account, region, transport, label] = key;
  return "bucket " + std::to_string(bucket) + " account '" + account + "' region " + region + " " +
         transport + " label '" + label + "'";
}

// CompareTable walks two maps in the order of their keys.
template <typename Key, typename Row>
std::optional<std::string> CompareTable(const char* table, const std::map<Key, Row>& audited,
                                        const std::map<Key, Row>& stored) {
  auto a = audited.begin();
  auto s = stored.begin();
  while (a != audited.end() || s != stored.end()) {
    if (s == stored.end() || (a != audited.end() && a->first < s->first)) {
      return fmt::format("{}: {} is missing; the wires say {}", table, Show(a->first),
                         Show(a->second));
    }
    if (a == audited.end() || s->first < a->first) {
      return fmt::format("{}: {} was never on a wire: {}", table, Show(s->first), Show(s->second));
    }
    if (!(a->second == s->second)) {
      return fmt::format("{}: {}\n  the wires say  {}\n  the ledger has {}", table, Show(a->first),
                         Show(a->second), Show(s->second));
    }
    ++a;
    ++s;
  }
  return std::nullopt;
}

}  // namespace

void Tally::Count(size_t direction, uint64_t payload, uint64_t wire) {
  payload_bytes[direction] += payload;
  wire_bytes[direction] += wire;
  packets[direction] += 1;
}

Tally& Tally::operator+=(const Tally& other) {
  for (size_t i = 0; i < 2; ++i) {
    payload_bytes[i] += other.payload_bytes[i];
    wire_bytes[i] += other.wire_bytes[i];
    packets[i] += other.packets[i];
  }
  return *this;
}

Books Books::WithoutBuckets() const {
  Books merged;
  merged.sessions = sessions;
  merged.totals = totals;
  for (const auto& [key, tally] : parts) merged.parts[{0, key.second}] += tally;
  for (const auto& [key, tally] : buckets) {
    GroupKey without = key;
    std::get<0>(without) = 0;
    merged.buckets[without] += tally;
  }
  return merged;
}

std::optional<std::string> FirstDifference(const Books& audited, const Books& stored) {
  if (auto d = CompareTable("session", audited.sessions, stored.sessions)) return d;
  if (auto d = CompareTable("usage_part", audited.parts, stored.parts)) return d;
  if (auto d = CompareTable("usage_bucket", audited.buckets, stored.buckets)) return d;
  return CompareTable("billable totals", audited.totals, stored.totals);
}

}  // namespace turnpike::sim
