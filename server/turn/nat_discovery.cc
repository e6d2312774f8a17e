// Binding requests that find out how a NAT behaves (RFC 5780 §6.1): answers from another address or
// port of this server, to another port of the client, or as large as the request.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

namespace {

// §7.2: the bits of CHANGE-REQUEST.
constexpr uint32_t kChangeIp = 0x04;
constexpr uint32_t kChangePort = 0x02;

// PlaceOf returns the index of `value` in `pair`, or nullopt.
template <typename T>
std::optional<size_t> PlaceOf(const std::array<T, 2>& pair, const T& value) {
  for (size_t i = 0; i < pair.size(); ++i) {
    if (pair[i] == value) return i;
  }
  return std::nullopt;
}

// Asked is what a request wants beside its mapped address.
struct Asked {
  uint32_t change = 0;
  std::optional<uint16_t> response_port;
  bool padding = false;
};

// ReadAsked is nullopt for what §6.1 and the shapes of §7 do not allow: 400.
std::optional<Asked> ReadAsked(const stun::MessageView& message) {
  Asked asked;
  if (const auto value = message.Find(AttributeType::kChangeRequest)) {
    const auto flags = stun::DecodeU32(*value);
    if (!flags) return std::nullopt;
    asked.change = *flags;
  }
  if (const auto value = message.Find(AttributeType::kResponsePort)) {
    if (!stun::HasValidShape(AttributeType::kResponsePort, *value)) return std::nullopt;
    asked.response_port = LoadU16(*value, 0);
    if (*asked.response_port == 0) return std::nullopt;
  }
  asked.padding = message.Find(AttributeType::kPadding).has_value();
  // "If the Binding Request contains both RESPONSE-PORT and PADDING: 400": a large answer to
  // somebody else's port would be an attack.
  if (asked.padding && asked.response_port) return std::nullopt;
  return asked;
}

}  // namespace

// OnNatDiscovery answers when the request came in at one of the four addresses; false when it is a
// Binding request like any other.
bool TurnServer::Impl::OnNatDiscovery(const Recipient& from, const stun::MessageView& message) {
  const FiveTuple& tuple = from.client.five_tuple;
  if (!options_.nat_discovery || tuple.transport != Transport::kUdp) return false;
  const NatDiscovery& places = *options_.nat_discovery;
  const auto ip = PlaceOf(places.addresses, tuple.server.ip);
  const auto port = PlaceOf(places.ports, tuple.server.port);
  if (!ip || !port) return false;
  if (!message.UnknownRequired().empty()) return false;  // 420, as everywhere
  const auto asked = ReadAsked(message);
  if (!asked) {
    RejectWith(from, ErrorStatus::kBadRequest);
    return true;
  }
  if (!MayAnswer(from)) return true;
  const size_t from_ip = (asked->change & kChangeIp) != 0 ? 1 - *ip : *ip;
  const size_t from_port = (asked->change & kChangePort) != 0 ? 1 - *port : *port;
  const TransportAddress origin{places.addresses[from_ip], places.ports[from_port]};
  const TransportAddress to{tuple.client.ip, asked->response_port.value_or(tuple.client.port)};

  std::vector<uint8_t> buffer(
      std::max(message.bytes().size(), size_t{stun::MessageBuilder::kMaxMessageSize}));
  stun::MessageBuilder builder(buffer, stun::Class::kSuccessResponse, from.method,
                               from.transaction_id);
  // "The server MUST include both MAPPED-ADDRESS and XOR-MAPPED-ADDRESS in its Response."
  builder.AddXorAddress(AttributeType::kXorMappedAddress, tuple.client);
  builder.AddAddress(AttributeType::kMappedAddress, tuple.client);
  builder.AddAddress(AttributeType::kResponseOrigin, Canonical(origin));
  builder.AddAddress(AttributeType::kOtherAddress,
                     Canonical({places.addresses[1 - *ip], places.ports[1 - *port]}));
  if (asked->padding) {
    // §7.6 wants as much as the path's MTU; but the answer is never larger than the request, so
    // that nobody gains by a forged source.
    const size_t rest = builder.size() + stun::kAttributeHeaderSize + (from.fingerprint ? 8 : 0);
    const size_t room = message.bytes().size() > rest ? message.bytes().size() - rest : 0;
    builder.AddBytes(AttributeType::kPadding, std::vector<uint8_t>(room));
  }
  const ByteSpan answer = builder.FinishUnauthenticated(from.fingerprint);
  TP_CHECK(!answer.empty());
  stats_
      .messages[static_cast<size_t>(from.method)]
               [static_cast<size_t>(stun::Class::kSuccessResponse)]
      .Add(1);
  outputs_.push_back(SendMessage{.link = from.client.link,
                                 .from = origin,
                                 .to = to,
                                 .bytes = {answer.begin(), answer.end()},
                                 .by_address = true});
  return true;
}

}  // namespace turnpike
