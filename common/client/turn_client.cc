#include "common/client/turn_client.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace turnpike {

using enum stun::AttributeType;

TurnClient::TurnClient(TurnClientOptions options, RandomSource& random)
    : options_(std::move(options)),
      random_(random),
      credential_(options_.username, options_.password, options_.sha256) {
  TP_CHECK(options_.username.size() <= kMaxUsernameSize);
  random_.Fill(indication_id_);
}

void TurnClient::Allocate(MonoTime now) {
  if (state_ != State::kIdle) return;
  state_ = State::kAllocating;
  SendRequest({RequestKind::kAllocate, {}, {}}, false, now);
}

void TurnClient::Release(MonoTime now) {
  if (state_ != State::kAllocated) return;
  state_ = State::kReleasing;
  transactions_.clear();
  permissions_.clear();
  channels_.clear();
  refresh_at_.reset();
  SendRequest({RequestKind::kRelease, {}, {}}, false, now);
}

void TurnClient::InstallPermission(const IpAddress& peer, MonoTime now) {
  if (state_ != State::kAllocated || FindPermission(peer) != nullptr) return;
  permissions_.push_back({peer, false, std::nullopt});
  SendRequest({RequestKind::kCreatePermission, {peer, 0}, {}}, false, now);
}

std::optional<stun::ChannelNumber> TurnClient::BindChannel(const PeerAddress& peer, MonoTime now) {
  if (state_ != State::kAllocated) return std::nullopt;
  if (const Channel* channel = FindChannel(peer)) return channel->number;
  if (next_channel_ > stun::kLastChannel.value()) return std::nullopt;
  const stun::ChannelNumber number(next_channel_++);
  channels_.push_back({peer, number, false, std::nullopt});
  SendRequest({RequestKind::kChannelBind, peer.value(), number}, false, now);
  return number;
}

std::optional<ReceivedData> TurnClient::OnServerMessage(ByteSpan bytes, MonoTime now) {
  if (bytes.empty()) return std::nullopt;
  if (stun::KindOf(bytes[0]) == stun::MessageKind::kChannelData) return OnChannelData(bytes);
  const auto message = stun::MessageView::Parse(bytes);
  if (!message) return std::nullopt;
  switch (message->message_class()) {
    case stun::Class::kIndication:
      return OnDataIndication(*message);
    case stun::Class::kSuccessResponse:
    case stun::Class::kErrorResponse:
      OnResponse(*message, now);
      return std::nullopt;
    case stun::Class::kRequest:
      break;
  }
  return std::nullopt;
}

std::optional<ReceivedData> TurnClient::OnChannelData(ByteSpan bytes) const {
  const auto data = stun::ParseChannelData(bytes);
  if (!data) return std::nullopt;
  // A channel whose success response is still on its way counts: datagrams overtake one another.
  const auto channel = std::ranges::find(channels_, data->channel, &Channel::number);
  if (channel == channels_.end()) return std::nullopt;
  return ReceivedData{channel->peer, data->payload};
}

std::optional<ReceivedData> TurnClient::OnDataIndication(
    const stun::MessageView& indication) const {
  if (indication.method() != stun::Method::kData) return std::nullopt;
  const auto peer_value = indication.Find(kXorPeerAddress);
  const auto data = indication.Find(kData);
  if (!peer_value || !data) return std::nullopt;  // an ICMP error has no DATA (RFC 8656 §11.5)
  const auto peer = stun::DecodeXorAddress(*peer_value, indication.transaction_id());
  if (!peer || !MayReceiveFrom(peer->ip)) return std::nullopt;
  return ReceivedData{PeerAddress(*peer), *data};
}

std::optional<DataHead> TurnClient::HeadFor(const PeerAddress& peer, size_t payload_size) {
  if (state_ != State::kAllocated) return std::nullopt;
  DataHead head;
  const Channel* channel = FindChannel(peer);
  if (channel != nullptr && channel->bound) {
    if (payload_size > 0xFFFF) return std::nullopt;
    const auto header =
        stun::ChannelDataHeader(channel->number, static_cast<uint16_t>(payload_size));
    std::ranges::copy(header, head.storage.begin());
    head.size = stun::kChannelHeaderSize;
    if (IsStream(options_.transport)) {
      head.padding = static_cast<uint8_t>(stun::PaddingFor(payload_size));
    }
    return head;
  }
  stun::MessageBuilder builder(head.storage, stun::Class::kIndication, stun::Method::kSend,
                               NextIndicationId());
  builder.AddXorAddress(kXorPeerAddress, peer.value());
  const ByteSpan bytes = builder.FinishBeforeData(payload_size);
  if (bytes.empty()) return std::nullopt;
  head.size = static_cast<uint8_t>(bytes.size());
  head.padding = static_cast<uint8_t>(stun::PaddingFor(payload_size));
  return head;
}

void TurnClient::OnTimer(MonoTime now) {
  RetransmitDue(now);
  RefreshDue(now);
}

void TurnClient::RetransmitDue(MonoTime now) {
  std::vector<RequestIntent> given_up;
  std::erase_if(transactions_, [&](Transaction& transaction) {
    if (transaction.deadline() > now) return false;
    if (transaction.Expired(now)) {
      given_up.push_back(transaction.intent());
      return true;
    }
    transmits_.push_back(transaction.message());
    return false;
  });
  // Only now: failing an allocation drops the transactions that were just walked.
  for (const RequestIntent& intent : given_up) Fail(intent, 0);
}

void TurnClient::RefreshDue(MonoTime now) {
  const auto take = [&](std::optional<MonoTime>& due) {
    if (!due || *due > now) return false;
    due.reset();
    return true;
  };
  if (take(refresh_at_)) SendRequest({RequestKind::kRefresh, {}, {}}, false, now);
  for (Permission& permission : permissions_) {
    if (take(permission.refresh_at)) {
      SendRequest({RequestKind::kCreatePermission, {permission.peer, 0}, {}}, false, now);
    }
  }
  for (Channel& channel : channels_) {
    if (take(channel.refresh_at)) {
      SendRequest({RequestKind::kChannelBind, channel.peer.value(), channel.number}, false, now);
    }
  }
}

std::optional<MonoTime> TurnClient::NextDeadline() const {
  std::optional<MonoTime> next = refresh_at_;
  const auto consider = [&](std::optional<MonoTime> deadline) {
    if (deadline && (!next || *deadline < *next)) next = deadline;
  };
  for (const Transaction& transaction : transactions_) consider(transaction.deadline());
  for (const Permission& permission : permissions_) consider(permission.refresh_at);
  for (const Channel& channel : channels_) consider(channel.refresh_at);
  return next;
}

std::optional<std::vector<uint8_t>> TurnClient::PollTransmit() {
  if (transmits_.empty()) return std::nullopt;
  auto message = std::move(transmits_.front());
  transmits_.pop_front();
  return message;
}

std::optional<ClientEvent> TurnClient::PollEvent() {
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

TurnClient::Permission* TurnClient::FindPermission(const IpAddress& peer) {
  const auto found = std::ranges::find(permissions_, peer, &Permission::peer);
  return found == permissions_.end() ? nullptr : &*found;
}

TurnClient::Channel* TurnClient::FindChannel(const PeerAddress& peer) {
  const auto found = std::ranges::find(channels_, peer, &Channel::peer);
  return found == channels_.end() ? nullptr : &*found;
}

bool TurnClient::MayReceiveFrom(const IpAddress& peer) const {
  return std::ranges::find(permissions_, peer, &Permission::peer) != permissions_.end() ||
         std::ranges::any_of(channels_, [&](const Channel& c) { return c.peer->ip == peer; });
}

stun::TransactionId TurnClient::NextIndicationId() {
  for (uint8_t& byte : indication_id_) {
    if (++byte != 0) break;
  }
  return indication_id_;
}

}  // namespace turnpike
