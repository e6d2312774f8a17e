#include "tools/replay/flow_table.h"

#include <algorithm>
#include <utility>

#include "common/stun/channel_data.h"

namespace turnpike::replay {
namespace {

// Ports of RFC 8656 §7: what a leg of nothing but ChannelData has on the server's side.
bool IsTurnPort(uint16_t port) { return port == 3478 || port == 5349; }

}  // namespace

std::string_view FlowKindName(FlowKind kind) {
  switch (kind) {
    case FlowKind::kRtp:
      return "RTP";
    case FlowKind::kRtcp:
      return "RTCP";
    case FlowKind::kTurn:
      return "TURN";
    case FlowKind::kRelayed:
      return "relayed";
    case FlowKind::kOther:
      break;
  }
  return "other";
}

void Volume::Add(Duration time, uint32_t size) {
  if (packets++ == 0) first = last = time;
  last = std::max(last, time);
  bytes += size;
  padded_bytes += size + stun::PaddingFor(size);
  largest = std::max(largest, size);
}

Duration Flow::first() const {
  if (sides[0].volume.packets == 0) return sides[1].volume.first;
  if (sides[1].volume.packets == 0) return sides[0].volume.first;
  return std::min(sides[0].volume.first, sides[1].volume.first);
}

Duration Flow::last() const { return std::max(sides[0].volume.last, sides[1].volume.last); }

FiveTuple PairOf(const TransportAddress& a, const TransportAddress& b) {
  return {std::min(a, b), std::max(a, b), Transport::kUdp};
}

size_t PairHash::operator()(const FiveTuple& pair) const {
  // Whoever made the capture gains nothing by slowing this process down.
  return HashFiveTuple({}, pair);
}

uint64_t FlowTable::Side::successions() const {
  uint64_t sum = 0;
  for (const RtpStream& stream : rtp.streams()) sum += stream.successions();
  return sum;
}

bool FlowTable::Add(const Datagram& datagram, Duration time) {
  const auto [entry, is_new] =
      index_.try_emplace(PairOf(datagram.from, datagram.to), pairs_.size());
  if (is_new) {
    if (pairs_.size() == kMostFlows) return false;
    pairs_.push_back({{datagram.from, datagram.to}, {}});
  }
  Pair& pair = pairs_[entry->second];
  Side& side = pair.sides[datagram.from == pair.ends[0] ? 0 : 1];
  side.datagrams.Add(time, datagram.size);
  ReadTurn(datagram.payload, datagram.size, messages_);
  if (messages_.empty()) {
    AddMedia(side, datagram.payload, datagram.size, time);
  } else {
    AddTurn(side, time);
  }
  return true;
}

void FlowTable::AddTurn(Side& side, Duration time) {
  bool is_channel_data = true;
  for (const TurnMessage& message : messages_) {
    is_channel_data &= message.sender == TurnSender::kUnknown;
    side.as_client += message.sender == TurnSender::kClient ? 1 : 0;
    side.as_server += message.sender == TurnSender::kServer ? 1 : 0;
    if (message.relayed && relayed_.size() < kMostFlows) relayed_.insert(*message.relayed);
    if (!message.has_data) continue;
    side.data.Add(time, message.data_size);
    AddMedia(side, message.data, message.data_size, time);
  }
  side.channel_data += is_channel_data ? 1 : 0;
}

void FlowTable::AddMedia(Side& side, ByteSpan payload, uint32_t size, Duration time) {
  if (const auto header = ReadRtp(payload, size)) {
    side.rtp.Add(*header, time);
  } else if (IsRtcp(payload, size)) {
    ++side.rtcp_packets;
  }
}

bool FlowTable::IsTurn(const Pair& pair) {
  const auto& [a, b] = pair.sides;
  if (a.as_client + a.as_server + b.as_client + b.as_server > 0) return true;
  const uint64_t channel_data = a.channel_data + b.channel_data;
  return channel_data > 0 && channel_data == a.datagrams.packets + b.datagrams.packets;
}

FlowKind FlowTable::KindOf(const Pair& pair) const {
  if (IsTurn(pair)) return FlowKind::kTurn;
  if (relayed_.contains(pair.ends[0]) || relayed_.contains(pair.ends[1])) {
    return FlowKind::kRelayed;
  }
  const auto& [a, b] = pair.sides;
  if (a.successions() + b.successions() > 0) return FlowKind::kRtp;
  const uint64_t rtcp = a.rtcp_packets + b.rtcp_packets;
  const uint64_t all = a.datagrams.packets + b.datagrams.packets;
  return 2 * rtcp >= all ? FlowKind::kRtcp : FlowKind::kOther;
}

size_t FlowTable::ClientOf(const Pair& pair, bool is_turn, const IpSet& clients) {
  const auto& [a, b] = pair.sides;
  if (is_turn) {
    const uint64_t first = a.as_client + b.as_server;
    const uint64_t second = b.as_client + a.as_server;
    if (first != second) return first > second ? 0 : 1;
    if (IsTurnPort(pair.ends[0].port) != IsTurnPort(pair.ends[1].port)) {
      return IsTurnPort(pair.ends[0].port) ? 1 : 0;
    }
  }
  const bool second_only = !clients.Contains(pair.ends[0].ip) && clients.Contains(pair.ends[1].ip);
  return second_only ? 1 : 0;
}

std::vector<Flow> FlowTable::Take(const IpSet& clients) {
  std::vector<Flow> flows;
  flows.reserve(pairs_.size());
  for (Pair& pair : pairs_) {
    Flow flow;
    flow.number = static_cast<uint32_t>(flows.size() + 1);
    flow.kind = KindOf(pair);
    const bool is_turn = flow.kind == FlowKind::kTurn;
    const size_t client = ClientOf(pair, is_turn, clients);
    flow.client = pair.ends[client];
    flow.peer = pair.ends[1 - client];
    for (size_t i = 0; i < flow.sides.size(); ++i) {
      Side& side = pair.sides[i == 0 ? client : 1 - client];
      flow.sides[i] = {is_turn ? side.data : side.datagrams, std::move(side.rtp)};
    }
    flows.push_back(std::move(flow));
  }
  pairs_.clear();
  index_.clear();
  return flows;
}

}  // namespace turnpike::replay
