// ICMP messages from the way to a peer (RFC 8656 §11.5).
#include <array>
#include <chrono>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

namespace {

// A client learns all it needs from the first few; a flood of rejected datagrams must not become a
// flood of indications.
constexpr uint8_t kMaxPerSecond = 10;

// IsRelayed says whether clients hear of `type`. §11.5: "the server verifies that the type is
// either 3 or 11 for an ICMPv4 packet or either 1, 2, or 3 for an ICMPv6 packet."
bool IsRelayed(AddressFamily family, uint8_t type) {
  return family == AddressFamily::kIpv4 ? type == 3 || type == 11 : type >= 1 && type <= 3;
}

// TellsMtu says whether the message is "Packet Too Big" or "fragmentation needed and DF set".
bool TellsMtu(AddressFamily family, const IcmpError& error) {
  return family == AddressFamily::kIpv4 ? error.type == 3 && error.code == 4 : error.type == 2;
}

// IcmpValue is the value of ICMP (§18.13): 16 reserved bits, 7 bits of type, 9 bits of code, and
// the MTU where there is one, else zero.
std::array<uint8_t, 8> IcmpValue(AddressFamily family, const IcmpError& error) {
  std::array<uint8_t, 8> value;
  ByteWriter writer(value);
  writer.WriteU16(0);
  writer.WriteU16(static_cast<uint16_t>(error.type << 9 | error.code));
  writer.WriteU32(TellsMtu(family, error) ? error.mtu : 0);
  return value;
}

}  // namespace

void TurnServer::Impl::OnIcmp(RelayId relay, const PeerAddress& peer, const IcmpError& error,
                              Now now) {
  Observe(now);
  const AddressFamily family = AllocationTable::FamilyOf(relay);
  if (!IsRelayed(family, error.type)) return;
  // "If no such allocation exists, the packet is silently dropped"; likewise without a permission
  // for the address that the datagram went to.
  Allocation* allocation = table_.Get(relay);
  if (allocation == nullptr || allocation->live_leg(family, now.mono) == nullptr) return;
  const TransportAddress to = Canonical(peer.value());
  if (allocation->FindPermission(to.ip, now.mono) == nullptr) return;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.mono.time_since_epoch());
  const auto second = static_cast<uint16_t>(seconds.count());
  if (second != allocation->icmp_second) {
    allocation->icmp_second = second;
    allocation->icmp_count = 0;
  }
  if (allocation->icmp_count == kMaxPerSecond) return;
  ++allocation->icmp_count;

  SendIndication(*allocation, stun::Method::kData, [&](stun::MessageBuilder& builder) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, to);
    builder.AddBytes(AttributeType::kIcmp, IcmpValue(family, error));
  });
}

}  // namespace turnpike
