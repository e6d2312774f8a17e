// The cookie exchange of DTLS (RFC 6347 §4.2.1): a client shows that it receives at its address
// before the server keeps anything of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/net/five_tuple.h"

namespace turnpike {

// DtlsHello is what a datagram that begins with a ClientHello says before it is believed.
struct DtlsHello {
  std::array<uint8_t, 32> random;  // tells one handshake from the next
  uint8_t record_sequence = 0;     // the low bytes of the sequence numbers
  uint8_t message_sequence = 0;
};

// ReadDtlsHello returns the hello that `datagram` begins with, or nullopt: another record, a later
// epoch, or not the first fragment of a ClientHello.
std::optional<DtlsHello> ReadDtlsHello(ByteSpan datagram);

// DtlsCookies makes and checks the cookies of one worker; the kernel leads a client always to the
// same one. It keeps two keys and nothing of any client.
class DtlsCookies {
 public:
  // A cookie holds for at least one and at most two of these.
  static constexpr std::chrono::seconds kKeyLifetime{60};

  // `random` is not owned.
  explicit DtlsCookies(RandomSource& random);

  // Verify says whether `datagram`, a ClientHello, carries the cookie of its 5-tuple.
  bool Verify(const FiveTuple& tuple, ByteSpan datagram, MonoTime now);

  // Challenge returns the HelloVerifyRequest that answers `hello`: shorter than any ClientHello.
  std::vector<uint8_t> Challenge(const FiveTuple& tuple, const DtlsHello& hello, MonoTime now);

 private:
  using Key = std::array<uint8_t, 16>;

  void ChangeKeys(MonoTime now);

  RandomSource& random_;
  std::array<Key, 2> keys_;  // the newer one first
  std::optional<MonoTime> change_at_;
};

}  // namespace turnpike
