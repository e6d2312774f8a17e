#include "tests/sim/sim_client.h"

#include <chrono>

#include "common/stun/channel_data.h"
#include "common/stun/integrity.h"

namespace turnpike::sim {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

std::vector<uint8_t> ToVector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

stun::TransactionId NewId(Dice& dice) {
  stun::TransactionId id;
  dice.source().Fill(id);
  return id;
}

}  // namespace

SimClient::SimClient(Surroundings& world, Dice& dice, Transport transport, Login login,
                     const std::string& realm)
    : world_(world), dice_(dice), transport_(transport), login_(std::move(login)), realm_(realm) {}

void SimClient::SetAddress(const TransportAddress& address, LinkId link) {
  address_ = address;
  link_ = link;
  connected_ = true;
}

void SimClient::Forget() {
  allocated_ = false;
  channels_.clear();
  permitted_.clear();
  data_.clear();
  ticket_.clear();
}

Duration SimClient::Act() {
  if (!connected_) {
    world_.Connect(*this);
  } else if (!allocated_) {
    dice_.Percent(90) ? Allocate() : SendNonsense();
  } else {
    ActWithAllocation();
  }
  const uint32_t patience = dice_.Below(100);
  if (patience < 85) return dice_.Milliseconds(1, 300);
  if (patience < 98) return dice_.Milliseconds(1000, 30'000);
  // Long enough for permissions, channels and allocations to expire.
  return dice_.Milliseconds(60'000, 1'000'000);
}

void SimClient::ActWithAllocation() {
  if (!ticket_.empty() && dice_.Percent(8)) return Move();
  if (relays_tcp_ && dice_.Percent(80)) return ActWithTcpAllocation();
  const uint32_t choice = dice_.Below(100);
  if (choice < 45) {
    if (channels_.empty()) return Bind(world_.AnyPeer());
    for (uint32_t burst = dice_.Between(1, 8); burst > 0; --burst) SendChannelData();
    return;
  }
  if (choice < 65) {
    const bool known = !permitted_.empty() && dice_.Percent(80);
    return SendIndication(known ? dice_.Pick(permitted_) : world_.AnyPeer(), dice_.Percent(10));
  }
  if (choice < 73) return Bind(world_.AnyPeer());
  if (choice < 81) return Permit(world_.AnyPeer());
  if (choice < 86) return Refresh(dice_.Pick(std::to_array<uint32_t>({1, 600, 1200, 3600, 9999})));
  if (choice < 88) return Refresh(0);
  if (choice < 91) {
    // The same request again, as after a lost answer.
    if (!last_request_.empty()) Emit(last_request_);
    return;
  }
  if (choice < 93) return Allocate();
  if (choice < 95) return SendNonsense();
  if (choice < 97) {
    // Somebody else sends on this client's channel.
    const auto payload = Payload();
    auto message = ToVector(
        stun::ChannelDataHeader(stun::kFirstChannel, static_cast<uint16_t>(payload.size())));
    message.insert(message.end(), payload.begin(), payload.end());
    return world_.Forge(*this, std::move(message));
  }
  if (choice < 99) return world_.Disconnect(*this);
  world_.Connect(*this);  // a new socket; what the old one had expires
}

void SimClient::ActWithTcpAllocation() {
  const uint32_t choice = dice_.Below(100);
  if (choice < 15) return Permit(world_.AnyPeer());
  if (choice < 30 || data_.empty()) return ConnectTo(world_.AnyPeer());
  const LinkId link = dice_.Pick(data_);
  if (choice < 92) return world_.SendData(link, Payload());
  std::erase(data_, link);
  world_.CloseData(link);
}

// ConnectTo asks for a connection with `peer`, BindData takes one up: on another connection, and
// often without awaiting the answer before the first data.
void SimClient::ConnectTo(const TransportAddress& peer) {
  Request({.method = Method::kConnect,
           .fill =
               [peer](stun::MessageBuilder& builder) {
                 builder.AddXorAddress(AttributeType::kXorPeerAddress, peer);
               },
           .tries = 0,
           .then = [this](const stun::MessageView& message) { BindData(message); }});
}

void SimClient::BindData(const stun::MessageView& message) {
  const auto value = message.Find(AttributeType::kConnectionId);
  const auto id = value ? stun::DecodeU32(*value) : std::nullopt;
  if (!id || nonce_.empty() || dice_.Percent(10)) return;
  const uint32_t wrong = dice_.Percent(5) ? 1 : 0;
  auto request = Build(NewId(dice_), Method::kConnectionBind, [&](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kConnectionId, *id + wrong);
  });
  auto data = dice_.Percent(50) ? Payload() : std::vector<uint8_t>();
  data_.push_back(world_.OpenData(*this, std::move(request), std::move(data)));
}

std::vector<uint8_t> SimClient::Build(const stun::TransactionId& id, Method method,
                                      const Fill& fill) {
  std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
  stun::MessageBuilder builder(buffer, Class::kRequest, method, id);
  fill(builder);
  const bool fingerprint = dice_.Percent(50);
  Bytes message;
  if (nonce_.empty()) {
    message = builder.FinishUnauthenticated(fingerprint);
  } else {
    builder.AddText(AttributeType::kUsername, login_.username);
    builder.AddText(AttributeType::kRealm, realm_);
    builder.AddText(AttributeType::kNonce, nonce_);
    const auto key = stun::LongTermKeyMd5(login_.username, realm_, login_.password);
    message = builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, fingerprint);
  }
  return ToVector(message);
}

void SimClient::Request(Pending pending) {
  const stun::TransactionId id = NewId(dice_);
  last_request_ = Build(id, pending.method, pending.fill);
  pending_[id] = std::move(pending);
  Emit(last_request_);
}

void SimClient::OnMessage(Bytes bytes) {
  const auto message = stun::MessageView::Parse(bytes);
  if (!message) return;  // ChannelData: the auditor has looked at it
  if (message->method() == Method::kConnectionAttempt) return BindData(*message);
  const auto found = pending_.find(message->transaction_id());
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (message->message_class() == Class::kErrorResponse) {
    OnError(std::move(pending), *message);
  } else if (pending.then) {
    pending.then(*message);
  }
}

void SimClient::OnError(Pending pending, const stun::MessageView& message) {
  const auto value = message.Find(AttributeType::kErrorCode);
  const auto error = value ? stun::DecodeErrorCode(*value) : std::nullopt;
  if (!error) return;
  if (error->code == 401 || error->code == 438) {
    const auto nonce = message.Find(AttributeType::kNonce);
    if (!nonce || ++pending.tries > 2) return;
    nonce_ = AsText(*nonce);
    return Request(std::move(pending));
  }
  if (error->code != 437) return;
  if (pending.method == Method::kAllocate) {
    world_.Connect(*this);
  } else {
    Forget();
  }
}

void SimClient::Allocate() {
  // What to ask for, so that a retry after a 401 asks for the same.
  const uint32_t kind = dice_.Below(20);
  const bool tcp = dice_.Percent(IsStream(transport_) ? 40 : 2);
  const uint32_t lifetime = dice_.Percent(50) ? dice_.Between(0, 4000) : 0;
  const bool mobile = dice_.Percent(60);
  const auto token = std::exchange(token_, {});
  Request({.method = Method::kAllocate,
           .fill =
               [=](stun::MessageBuilder& builder) {
                 builder.AddU32(AttributeType::kRequestedTransport, (tcp ? 6u : 17u) << 24);
                 if (lifetime != 0) builder.AddU32(AttributeType::kLifetime, lifetime);
                 if (mobile) builder.AddBytes(AttributeType::kMobilityTicket, {});
                 if (!token.empty()) {
                   builder.AddBytes(AttributeType::kReservationToken, token);
                 } else if (kind < 4 && !tcp) {
                   const uint8_t parity = kind < 3 ? 0x80 : 0;
                   builder.AddBytes(AttributeType::kEvenPort, Bytes(&parity, 1));
                 } else if (kind < 6) {
                   builder.AddU32(AttributeType::kRequestedAddressFamily, 2u << 24);
                 } else if (kind < 10) {
                   builder.AddU32(AttributeType::kAdditionalAddressFamily, 2u << 24);
                 }
               },
           .tries = 0,
           .then =
               [this, tcp](const stun::MessageView& message) {
                 relays_tcp_ = tcp;
                 OnAllocated(message);
               }});
}

void SimClient::OnAllocated(const stun::MessageView& message) {
  allocated_ = true;
  message.ForEach([&](const stun::Attribute& attribute) {
    if (attribute.type == AttributeType::kReservationToken) token_ = ToVector(attribute.value);
    if (attribute.type == AttributeType::kMobilityTicket) ticket_ = ToVector(attribute.value);
    if (attribute.type != AttributeType::kXorRelayedAddress) return;
    const auto address = stun::DecodeXorAddress(attribute.value, message.transaction_id());
    if (address) world_.Relayed(*address);
  });
}

void SimClient::Refresh(uint32_t lifetime) {
  const uint32_t family = dice_.Below(10);
  Request({.method = Method::kRefresh,
           .fill =
               [=](stun::MessageBuilder& builder) {
                 builder.AddU32(AttributeType::kLifetime, lifetime);
                 if (family != 1 && family != 2) return;
                 builder.AddU32(AttributeType::kRequestedAddressFamily, family << 24);
               },
           .tries = 0,
           .then =
               [this, lifetime, family](const stun::MessageView&) {
                 if (lifetime == 0 && family != 1 && family != 2) Forget();
               }});
}

// Move takes the allocation along to another address (RFC 8016). Without an answer the client finds
// out by a 437 that it has lost it.
void SimClient::Move() {
  world_.Move(*this);
  const auto ticket = ticket_;
  Request({.method = Method::kRefresh,
           .fill =
               [ticket](stun::MessageBuilder& builder) {
                 builder.AddBytes(AttributeType::kMobilityTicket, ticket);
               },
           .tries = 0,
           .then =
               [this](const stun::MessageView& message) {
                 const auto next = message.Find(AttributeType::kMobilityTicket);
                 if (next) ticket_ = ToVector(*next);
               }});
}

void SimClient::Permit(const TransportAddress& peer) {
  Request({.method = Method::kCreatePermission,
           .fill =
               [peer](stun::MessageBuilder& builder) {
                 builder.AddXorAddress(AttributeType::kXorPeerAddress, peer);
               },
           .tries = 0,
           .then = [this, peer](const stun::MessageView&) { permitted_.push_back(peer); }});
}

void SimClient::Bind(const TransportAddress& peer) {
  const auto number = static_cast<uint16_t>(0x4000 + dice_.Below(6));
  Request({.method = Method::kChannelBind,
           .fill =
               [peer, number](stun::MessageBuilder& builder) {
                 builder.AddU32(AttributeType::kChannelNumber, uint32_t{number} << 16);
                 builder.AddXorAddress(AttributeType::kXorPeerAddress, peer);
               },
           .tries = 0,
           .then =
               [this, peer, number](const stun::MessageView&) {
                 channels_[number] = peer;
                 permitted_.push_back(peer);
               }});
}

std::vector<uint8_t> SimClient::Payload() {
  size_t size = dice_.Below(200);
  if (dice_.Percent(10)) size = dice_.Below(1400);
  if (dice_.PerMille(3)) size = dice_.Between(60'000, 65'535);
  std::vector<uint8_t> payload(size);
  // Enough to tell packets apart.
  dice_.source().Fill(std::span(payload).first(std::min<size_t>(size, 16)));
  return payload;
}

void SimClient::SendChannelData() {
  const auto number = static_cast<uint16_t>(0x4000 + dice_.Below(7));
  const bool bound = dice_.Percent(95);
  const uint16_t channel = bound && !channels_.empty() ? channels_.begin()->first : number;
  const auto payload = Payload();
  auto message = ToVector(
      stun::ChannelDataHeader(stun::ChannelNumber(channel), static_cast<uint16_t>(payload.size())));
  message.insert(message.end(), payload.begin(), payload.end());
  // RFC 8656 §12.5: padding on streams; allowed on UDP, where the server counts it as it came.
  if (IsStream(transport_) || dice_.Percent(10)) {
    message.insert(message.end(), stun::PaddingFor(payload.size()), 0);
  }
  Emit(std::move(message));
}

void SimClient::SendIndication(const TransportAddress& peer, bool dont_fragment) {
  const auto payload = Payload();
  std::vector<uint8_t> buffer(payload.size() + 100);
  stun::MessageBuilder builder(buffer, Class::kIndication, Method::kSend, NewId(dice_));
  builder.AddXorAddress(AttributeType::kXorPeerAddress, peer);
  if (dont_fragment) builder.AddFlag(AttributeType::kDontFragment);
  builder.AddBytes(AttributeType::kData, payload);
  const Bytes message = builder.FinishUnauthenticated(dice_.Percent(20));
  if (!message.empty()) Emit(ToVector(message));
}

void SimClient::SendNonsense() {
  auto message = dice_.Percent(50) && !last_request_.empty() ? last_request_ : Payload();
  if (message.empty()) message.push_back(0x40);
  message[dice_.Below(static_cast<uint32_t>(message.size()))] ^=
      static_cast<uint8_t>(1u << dice_.Below(8));
  if (dice_.Percent(30)) message.resize(message.size() / 2 + 1);
  Emit(std::move(message));
}

void SimClient::Emit(std::vector<uint8_t> message) { world_.ToServer(*this, std::move(message)); }

}  // namespace turnpike::sim
