#include "tests/sim/auditor.h"

#include <algorithm>
#include <utility>

namespace turnpike::sim {
namespace {

constexpr int64_t kQuarterHourUs = int64_t{15} * 60 * 1'000'000;
constexpr uint16_t kSendIndication = 0x0016;
constexpr uint16_t kDataIndication = 0x0017;
constexpr uint16_t kDataAttribute = 0x0013;

uint16_t Number(Bytes bytes, size_t offset) {
  return static_cast<uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

uint32_t QuarterHourOf(int64_t us) {
  return us < 0 ? 0 : static_cast<uint32_t>(us / kQuarterHourUs);
}

}  // namespace

std::optional<Bytes> PayloadOf(Bytes message) {
  if (message.size() < 4) return std::nullopt;
  const size_t length = Number(message, 2);
  if (message[0] >= 0x40 && message[0] <= 0x4F) {
    if (message.size() < 4 + length) return std::nullopt;
    return message.subspan(4, length);
  }
  const uint16_t type = Number(message, 0);
  if (type != kSendIndication && type != kDataIndication) return std::nullopt;
  if (message.size() != 20 + length || length % 4 != 0) return std::nullopt;
  for (size_t at = 20; at + 4 <= message.size();) {
    const size_t size = Number(message, at + 2);
    if (at + 4 + size > message.size()) return std::nullopt;
    if (Number(message, at) == kDataAttribute) return message.subspan(at + 4, size);
    at += 4 + (size + 3) / 4 * 4;
  }
  return std::nullopt;
}

void Auditor::OpenSession(const std::string& id, SessionEntry entry) {
  if (!books_.sessions.emplace(id, std::move(entry)).second) {
    problems_.push_back("session id " + id + " was given out twice");
  }
}

void Auditor::TookDatagramToPeer(const std::string& id, Bytes client_message, bool stream,
                                 Bytes datagram, int64_t now_us) {
  const auto payload = PayloadOf(client_message);
  if (!payload || !std::ranges::equal(*payload, datagram)) {
    problems_.push_back("session " + id + ": a peer got other bytes than the client sent");
  }
  const size_t size = client_message.size();
  Count(id, 0, datagram.size(), stream ? (size + 3) / 4 * 4 : size, now_us);
}

void Auditor::TookMessageToClient(const std::string& id, Bytes datagram, Bytes message,
                                  int64_t now_us) {
  const auto payload = PayloadOf(message);
  if (!payload || !std::ranges::equal(*payload, datagram)) {
    problems_.push_back("session " + id + ": a client got other bytes than the peer sent");
  }
  const auto session = books_.sessions.find(id);
  if (session != books_.sessions.end() && message.size() % 4 != 0 &&
      (session->second.transport == "tcp" || session->second.transport == "tls")) {
    problems_.push_back("session " + id + ": a message on a stream is not padded");
  }
  Count(id, 1, datagram.size(), message.size(), now_us);
}

void Auditor::TookStreamBytes(const std::string& id, size_t direction, uint64_t bytes,
                              int64_t now_us) {
  Count(id, direction, bytes, bytes, now_us);
  stream_bytes_ += bytes;
}

void Auditor::Refused(const std::string& id, const std::string& reason) {
  if (SessionEntry* entry = Find(id)) ++entry->dropped[reason];
}

void Auditor::CloseSession(const std::string& id, const std::string& reason, int64_t ended_at_us) {
  SessionEntry* entry = Find(id);
  if (entry == nullptr) return;
  entry->close_reason = reason;
  entry->ended_at_us = std::max(ended_at_us, entry->started_at_us);
}

void Auditor::Crash() {
  for (auto& [id, entry] : books_.sessions) {
    if (entry.close_reason.empty()) entry.close_reason = "crash";
  }
  ForgetStart();
}

size_t Auditor::open_sessions() const {
  return static_cast<size_t>(std::ranges::count_if(
      books_.sessions, [](const auto& session) { return session.second.close_reason.empty(); }));
}

void Auditor::Count(const std::string& id, size_t direction, uint64_t payload, uint64_t wire,
                    int64_t now_us) {
  SessionEntry* entry = Find(id);
  if (entry == nullptr) return;
  const uint32_t bucket = QuarterHourOf(now_us);
  entry->tally.Count(direction, payload, wire);
  books_.parts[{bucket, id}].Count(direction, payload, wire);
  books_.buckets[{bucket, entry->account, entry->region, entry->transport, entry->label}].Count(
      direction, payload, wire);
  books_.totals[{entry->account, entry->region}][direction] += payload;
  since_start_[entry->transport].Count(direction, payload, wire);
  billable_ += payload;
}

SessionEntry* Auditor::Find(const std::string& id) {
  const auto found = books_.sessions.find(id);
  if (found == books_.sessions.end() || !found->second.close_reason.empty()) {
    problems_.push_back("something happened to session " + id +
                        ", which was not open: its totals are not final");
    return nullptr;
  }
  return &found->second;
}

}  // namespace turnpike::sim
