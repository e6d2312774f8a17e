// Clients with valid credentials, peers, time, failing sends and failing opens, in any order.
#include "server/turn/authenticate.h"
#include "tests/fuzz/core_fuzz_world.h"

namespace turnpike {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

TransportAddress Peer(uint8_t which) {
  static constexpr std::array<const char*, 12> kPeers = {
      "9.9.9.1:1",   "9.9.9.1:2",      "9.9.9.2:1",     "9.9.9.3:1",    "9.9.9.4:1", "[2a00::9]:1",
      "[2a00::a]:1", "10.0.0.5:50000", "5.5.5.5:50001", "127.0.0.1:80", "[::1]:80",  "9.9.9.5:0"};
  return *TransportAddress::Parse(kPeers[which % kPeers.size()]);
}

// AddAttribute adds one attribute that some method reads, with a value that is mostly sensible;
// `ticket` is the newest MOBILITY-TICKET.
void AddAttribute(stun::MessageBuilder& builder, FuzzInput& input, ByteSpan ticket) {
  const uint8_t value = input.Byte();
  switch (input.Below(14)) {
    case 0:
    case 1:
      return builder.AddU32(AttributeType::kRequestedTransport, (value == 0 ? 6u : 17u) << 24);
    case 2:
      return builder.AddU32(AttributeType::kLifetime, value < 128 ? 0 : value * 16u);
    case 3:
      return builder.AddU32(AttributeType::kRequestedAddressFamily, (value % 4u) << 24);
    case 4:
      return builder.AddU32(AttributeType::kAdditionalAddressFamily, (value < 240 ? 2u : 1u) << 24);
    case 5: {
      const std::array<uint8_t, 1> flags = {value};
      return builder.AddBytes(AttributeType::kEvenPort, flags);
    }
    case 6:
    case 7:
    case 8:
      return builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(value));
    case 9:
    case 10:
      return builder.AddU32(AttributeType::kChannelNumber, (0x4000u + value % 8) << 16);
    case 11:
      return builder.AddFlag(AttributeType::kDontFragment);
    case 12:
      return builder.AddBytes(AttributeType::kData, input.Bytes(value % 32));
    default:
      break;
  }
  const ByteSpan bytes = input.Bytes(value % 8);
  if (value < 0xE0) return builder.AddBytes(static_cast<AttributeType>(value), bytes);
  builder.AddBytes(AttributeType::kMobilityTicket, value % 2 == 0 ? ByteSpan() : ticket);
}

// Session is what one client of the fuzzer remembers.
struct Session {
  std::string nonce;
  std::array<uint8_t, 8> token{};
};

class Fuzzer {
 public:
  explicit Fuzzer(FuzzInput& input) : input_(input) {}

  void Run() {
    while (!input_.empty()) Act();
  }

 private:
  void Act() {
    const uint8_t who = input_.Below(5);
    const Client client = FuzzClient(who);
    switch (input_.Below(15)) {
      case 0:
      case 1:
        return Request(who, Method::kAllocate);
      case 2:
        return Request(who, Method::kRefresh);
      case 3:
        return Request(who, Method::kCreatePermission);
      case 4:
        return Request(who, Method::kChannelBind);
      case 5: {
        std::array<uint8_t, 200> buffer;
        stun::MessageBuilder builder(buffer, Class::kIndication, Method::kSend, NextId());
        builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(input_.Byte()));
        builder.AddBytes(AttributeType::kData, input_.Bytes(input_.Below(32)));
        return world_.FromClient(client, builder.FinishUnauthenticated(false), &input_);
      }
      case 6: {
        const uint8_t size = input_.Below(16);
        std::vector<uint8_t> message = {0x40, input_.Below(8), 0, size};
        message.resize(size_t{4} + size + input_.Below(4));
        return world_.FromClient(client, message, &input_);
      }
      case 7:
        return world_.FromPeer(input_.Byte(), Peer(input_.Byte()), input_.Bytes(input_.Below(64)),
                               &input_);
      case 8:
        if (input_.Below(4) == 0) return world_.CloseLink(client.link, &input_);
        return world_.ReportAll();
      case 9:
        return Request(who, Method::kConnect);
      case 10:
        return Request(who, Method::kConnectionBind);
      case 11:
        return world_.Accept(input_.Byte(), Peer(input_.Byte()), &input_);
      case 12:
      case 13:
        return world_.StepStreams(&input_);
      default:
        return world_.Step(std::chrono::seconds(input_.Byte() * (input_.Below(2) == 0 ? 1 : 5)));
    }
  }

  stun::TransactionId NextId() {
    stun::TransactionId id{};
    // Now and then an id comes again: a retransmission.
    if (input_.Below(8) != 0) ++id_;
    id[0] = static_cast<uint8_t>(id_);
    id[1] = static_cast<uint8_t>(id_ >> 8);
    return id;
  }

  void Request(uint8_t who, Method method) {
    Session& session = sessions_[who];
    const Client client = FuzzClient(who);
    const std::string user = input_.Below(8) == 0 ? "b" : "a";
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    stun::MessageBuilder builder(buffer, Class::kRequest, method, NextId());
    if (method == Method::kAllocate && input_.Below(8) != 0) {
      const bool tcp = client.five_tuple.transport == Transport::kTcp && input_.Below(2) == 0;
      builder.AddU32(AttributeType::kRequestedTransport, (tcp ? 6u : 17u) << 24);
    }
    if (method == Method::kConnect && input_.Below(8) != 0) {
      builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(input_.Byte()));
    }
    if (method == Method::kConnectionBind && input_.Below(8) != 0) {
      builder.AddU32(AttributeType::kConnectionId, connection_);
    }
    if (input_.Below(8) == 0) builder.AddBytes(AttributeType::kReservationToken, session.token);
    for (uint8_t count = input_.Below(4); count > 0; --count)
      AddAttribute(builder, input_, ticket_);
    builder.AddText(AttributeType::kUsername, user);
    builder.AddText(AttributeType::kRealm, "r");
    builder.AddText(AttributeType::kNonce, session.nonce);
    const auto key = stun::LongTermKeyMd5(user, "r", user == "a" ? "pa" : "pb");
    const ByteSpan message =
        builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, input_.Below(2) == 0);
    if (message.empty()) return;
    world_.FromClient(client, message, &input_);
    Learn(session);
  }

  void Learn(Session& session) {
    if (world_.last_message().empty()) return;
    const auto answer = stun::MessageView::Parse(world_.last_message());
    if (const auto nonce = answer->Find(AttributeType::kNonce)) session.nonce = AsText(*nonce);
    if (const auto id = answer->Find(AttributeType::kConnectionId)) {
      connection_ = stun::DecodeU32(*id).value_or(0);
    }
    if (const auto ticket = answer->Find(AttributeType::kMobilityTicket)) {
      ticket_.assign(ticket->begin(), ticket->end());
    }
    if (const auto token = answer->Find(AttributeType::kReservationToken)) {
      std::copy(token->begin(), token->end(), session.token.begin());
    }
  }

  FuzzInput& input_;
  FuzzWorld world_;
  std::array<Session, 5> sessions_;
  uint32_t id_ = 0;
  std::vector<uint8_t> ticket_;
  uint32_t connection_ = 0;  // the newest CONNECTION-ID that anybody was told
};

}  // namespace
}  // namespace turnpike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::FuzzInput input(data, size);
  turnpike::Fuzzer fuzzer(input);
  fuzzer.Run();
  return 0;
}
