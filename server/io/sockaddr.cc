#include "server/io/sockaddr.h"

#include <arpa/inet.h>

#include <cstring>
#include <span>

#include "common/base/check.h"

namespace turnpike {

socklen_t ToSocketAddress(const TransportAddress& address, SocketAddress& out) {
  const ByteSpan bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::memcpy(&out.v4.sin_addr, bytes.data(), sizeof(out.v4.sin_addr));
    return sizeof(out.v4);
  }
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  std::memcpy(&out.v6.sin6_addr, bytes.data(), sizeof(out.v6.sin6_addr));
  return sizeof(out.v6);
}

IpAddress FromInAddr(const in_addr& address) {
  return IpAddress::V4(
      std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&address.s_addr), 4));
}

IpAddress FromIn6Addr(const in6_addr& address) {
  return IpAddress::V6(std::span<const uint8_t, 16>(address.s6_addr, 16));
}

TransportAddress FromSocketAddress(const SocketAddress& address) {
  TP_DCHECK(address.base.sa_family == AF_INET || address.base.sa_family == AF_INET6);
  if (address.base.sa_family == AF_INET) {
    return {FromInAddr(address.v4.sin_addr), ntohs(address.v4.sin_port)};
  }
  return {FromIn6Addr(address.v6.sin6_addr), ntohs(address.v6.sin6_port)};
}

}  // namespace turnpike
