// Between TransportAddress and the kernel's sockaddr, and the options of sockets.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/net/transport_address.h"

namespace turnpike {

// SocketAddress is room for an IPv4 or IPv6 address as the kernel writes it: 28 bytes, where a
// sockaddr_storage has 128.
union SocketAddress {
  sockaddr base;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// ToSocketAddress writes `address` in the kernel's form and returns its length.
socklen_t ToSocketAddress(const TransportAddress& address, SocketAddress& out);

// FromSocketAddress reads the kernel's form. The family must be AF_INET or AF_INET6.
TransportAddress FromSocketAddress(const SocketAddress& address);

// FromInAddr and FromIn6Addr read the kernel's form of an address without a port.
IpAddress FromInAddr(const in_addr& address);
IpAddress FromIn6Addr(const in6_addr& address);

// SetOption sets an integer option of a socket; false: the kernel refuses it, which does no harm
// where the option only tunes.
inline bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

}  // namespace turnpike
