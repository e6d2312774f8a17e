#include "common/net/five_tuple.h"

#include <array>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace turnpike {

std::string_view TransportName(Transport transport) {
  switch (transport) {
    case Transport::kUdp:
      return "udp";
    case Transport::kTcp:
      return "tcp";
    case Transport::kTls:
      return "tls";
    case Transport::kDtls:
      return "dtls";
  }
  TP_CHECK(false);
  return {};
}

uint64_t HashFiveTuple(const SipKey& key, const FiveTuple& tuple) {
  // The first byte tells how long both addresses are, so no two tuples share an encoding; two IPv4
  // addresses make 13 bytes, two blocks of the hash.
  std::array<uint8_t, 1 + 2 * (16 + 2)> buffer;
  ByteWriter writer(buffer);
  writer.WriteU8(static_cast<uint8_t>(static_cast<uint8_t>(tuple.transport) << 4 |
                                      (tuple.client.ip.is_v4() ? 0 : 1) |
                                      (tuple.server.ip.is_v4() ? 0 : 2)));
  writer.WriteBytes(tuple.client.ip.bytes());
  writer.WriteU16(tuple.client.port);
  writer.WriteBytes(tuple.server.ip.bytes());
  writer.WriteU16(tuple.server.port);
  return SipHash13(key, writer.written());
}

}  // namespace turnpike
