#include "server/turn/mobility_ticket.h"

#include <algorithm>

#include "common/base/check.h"

namespace turnpike {
namespace {

//    MAC | core | attempt | allocation | serial
//    16  | 3    | 1       | 8          | 4 bytes, all but the MAC encrypted
//
// One in nine such tickets has a byte that is 0; the next attempt then has all others as well.
constexpr size_t kMacSize = 16;
constexpr size_t kPlainSize = 16;
constexpr uint32_t kMaxSealAttempts = 256;
static_assert(kMacSize + kPlainSize == std::tuple_size_v<SealedTicket>);

using Plain = std::array<uint8_t, kPlainSize>;

// Crypt encrypts or decrypts: it is its own inverse.
Plain Crypt(const stun::Sha256Mac& key, ByteSpan mac, ByteSpan text) {
  const stun::Sha256Mac stream = stun::HmacSha256(key, {mac});
  Plain result;
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<uint8_t>(text[i] ^ stream[i]);
  }
  return result;
}

}  // namespace

TicketSeal::TicketSeal(const NonceSecret& secret)
    : mac_key_(stun::HmacSha256(secret, {AsBytes("mobility ticket, MAC")})),
      cipher_key_(stun::HmacSha256(secret, {AsBytes("mobility ticket, cipher")})) {}

SealedTicket TicketSeal::Seal(const MobilityTicket& ticket) const {
  TP_CHECK(ticket.core.value() < 1 << 24);
  for (uint32_t attempt = 0; attempt < kMaxSealAttempts; ++attempt) {
    Plain plain;
    ByteWriter writer(plain);
    writer.WriteU32(ticket.core.value() << 8 | attempt);
    writer.WriteU64(ticket.allocation.value());
    writer.WriteU32(ticket.serial);
    TP_DCHECK(writer.ok() && writer.size() == plain.size());
    const stun::Sha256Mac mac = stun::HmacSha256(mac_key_, {plain});
    const ByteSpan nonce = ByteSpan(mac).first(kMacSize);
    SealedTicket sealed;
    std::ranges::copy(Crypt(cipher_key_, nonce, plain),
                      std::ranges::copy(nonce, sealed.begin()).out);
    if (std::ranges::find(sealed, 0) == sealed.end()) return sealed;
  }
  TP_CHECK(false);  // less likely than guessing a ticket: 0.12 to the power of 256
}

std::optional<MobilityTicket> TicketSeal::Open(ByteSpan sealed) const {
  if (sealed.size() != std::tuple_size_v<SealedTicket>) return std::nullopt;
  const ByteSpan nonce = sealed.first(kMacSize);
  const Plain plain = Crypt(cipher_key_, nonce, sealed.subspan(kMacSize));
  const stun::Sha256Mac mac = stun::HmacSha256(mac_key_, {plain});
  if (!stun::EqualConstantTime(ByteSpan(mac).first(kMacSize), nonce)) return std::nullopt;
  return MobilityTicket{.core = CoreId(LoadU32(plain, 0) >> 8),
                        .allocation = RelayId(LoadU64(plain, 4)),
                        .serial = LoadU32(plain, 12)};
}

}  // namespace turnpike
