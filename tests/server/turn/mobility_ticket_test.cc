#include "server/turn/mobility_ticket.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace turnpike {

namespace {

constexpr MobilityTicket kTicket = {
    .core = CoreId(3), .allocation = RelayId(0x0123'4567'89AB'CDEE), .serial = 0xFFFF'FFFF};

}  // namespace

TEST_CASE("8016_5 what is in a ticket comes back, and cannot be seen in it") {
  const TicketSeal seal(NonceSecret{1});
  const auto sealed = seal.Seal(kTicket);
  CHECK(seal.Open(sealed) == kTicket);
  MobilityTicket other = kTicket;
  other.serial = 0;
  const auto next = seal.Seal(other);
  // Two tickets of one allocation have no bytes in common but by chance.
  size_t same = 0;
  for (size_t i = 0; i < sealed.size(); ++i) same += sealed[i] == next[i] ? 1 : 0;
  CHECK(same < 8);
}

TEST_CASE(
    "8016_3_3 a ticket fits where coturn's client keeps it, and has no byte that ends a string") {
  const TicketSeal seal(NonceSecret{1});
  for (uint32_t serial = 0; serial < 1000; ++serial) {
    const MobilityTicket ticket = {.core = CoreId(1), .allocation = RelayId(7), .serial = serial};
    const auto sealed = seal.Seal(ticket);
    CHECK(sealed.size() <= 32);
    CHECK(std::ranges::find(sealed, 0) == sealed.end());
    CHECK(seal.Open(sealed) == ticket);
  }
}

TEST_CASE("8016_5 nothing else opens: not altered, not cut, not of another start, not a nonce") {
  const TicketSeal seal(NonceSecret{1});
  const auto sealed = seal.Seal(kTicket);
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto altered = sealed;
    altered[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CHECK(!seal.Open(altered));
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    CHECK(!seal.Open(ByteSpan(sealed).first(size)));
  }
  CHECK(!TicketSeal(NonceSecret{2}).Open(sealed));
  CHECK(!seal.Open(AsBytes(MakeNonce(NonceSecret{1}, {}, {}, MonoTime()))));
}

}  // namespace turnpike
