#include "common/metering/slot_record.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/base/siphash.h"

namespace turnpike {
namespace {

// NameBytes says how long the names of `record` are together, also of a damaged one.
size_t NameBytes(const SlotRecord& record) {
  return std::min(kMaxNameBytes,
                  size_t{record.account_size} + record.label_size + record.username_size);
}

uint64_t Checksum(const SlotRecord& record, const NameTail& tail) {
  constexpr size_t kFrom = offsetof(SlotRecord, generation);
  const std::span whole(reinterpret_cast<const uint8_t*>(&record), sizeof(SlotRecord));
  const size_t in_tail = NameBytes(record) - std::min(NameBytes(record), kRecordNameBytes);
  if (in_tail == 0) return SipHash13(SipKey{}, whole.subspan(kFrom));
  std::vector<uint8_t> bytes(whole.begin() + kFrom, whole.end());
  bytes.insert(bytes.end(), tail.begin(), tail.begin() + static_cast<ptrdiff_t>(in_tail));
  return SipHash13(SipKey{}, bytes);
}

void WriteNames(const SessionInfo& info, SlotRecord& record, NameTail& tail) {
  TP_CHECK(info.account.size() <= kMaxAccountBytes && info.label.size() <= kMaxLabelBytes &&
           info.username.size() <= kMaxUsernameBytes);
  record.account_size = static_cast<uint16_t>(info.account.size());
  record.label_size = static_cast<uint16_t>(info.label.size());
  record.username_size = static_cast<uint16_t>(info.username.size());
  const std::string names = info.account + info.label + info.username;
  const std::string_view head = std::string_view(names).substr(0, kRecordNameBytes);
  std::ranges::copy(head, record.names.begin());
  std::ranges::copy(std::string_view(names).substr(head.size()), tail.begin());
}

std::string ReadNames(const SlotRecord& record, const NameTail& tail) {
  const size_t size = NameBytes(record);
  std::string names(record.names.data(), std::min(size, kRecordNameBytes));
  return names.append(tail.data(), size - names.size());
}

StoredAddress ToStored(const TransportAddress& address) {
  StoredAddress stored;
  std::ranges::copy(address.ip.bytes(), stored.ip.begin());
  stored.port = address.port;
  stored.family = static_cast<uint8_t>(address.ip.family());
  return stored;
}

TransportAddress FromStored(const StoredAddress& stored) {
  const std::span<const uint8_t, 16> ip(stored.ip);
  const bool v4 = stored.family == static_cast<uint8_t>(AddressFamily::kIpv4);
  return {v4 ? IpAddress::V4(ip.first<4>()) : IpAddress::V6(ip), stored.port};
}

}  // namespace

void WriteRecord(SlotRecord& record, NameTail& tail, const SessionInfo& info, uint32_t generation,
                 uint32_t boot) {
  record.close_reason.store(0, std::memory_order_relaxed);
  record.ended_at.store(0, std::memory_order_relaxed);
  record.generation = generation;
  record.boot = boot;
  record.id = info.id;
  record.started_at = info.started_at.time_since_epoch().count();
  record.client = ToStored(info.client);
  record.relayed = ToStored(info.relayed);
  record.transport = static_cast<uint8_t>(info.transport);
  WriteNames(info, record, tail);
  record.checksum = Checksum(record, tail);
}

bool IsSound(const SlotRecord& record, const NameTail& tail) {
  return record.checksum == Checksum(record, tail);
}

SessionInfo ReadRecord(const SlotRecord& record, const NameTail& tail) {
  const std::string names = ReadNames(record, tail);
  SessionInfo info;
  info.id = record.id;
  info.account = names.substr(0, record.account_size);
  info.label = names.substr(record.account_size, record.label_size);
  info.username = names.substr(size_t{record.account_size} + record.label_size);
  info.transport = static_cast<Transport>(record.transport);
  info.client = FromStored(record.client);
  info.relayed = FromStored(record.relayed);
  info.started_at = WallTime(std::chrono::microseconds(record.started_at));
  return info;
}

}  // namespace turnpike
