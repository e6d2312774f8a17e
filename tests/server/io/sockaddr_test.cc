#include "server/io/sockaddr.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

namespace turnpike {

TEST_CASE("addresses survive the way through the kernel's form") {
  for (const char* text :
       {"203.0.113.7:3478", "0.0.0.0:0", "[2001:db8::7]:65535", "[::]:1", "[::ffff:192.0.2.1]:9"}) {
    CAPTURE(text);
    const auto address = *TransportAddress::Parse(text);
    SocketAddress kernel;
    const socklen_t size = ToSocketAddress(address, kernel);
    CHECK(size == (address.ip.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
    CHECK(FromSocketAddress(kernel) == address);
  }
}

TEST_CASE("the kernel's form is in network order") {
  SocketAddress kernel;
  ToSocketAddress(*TransportAddress::Parse("1.2.3.4:258"), kernel);
  CHECK(kernel.v4.sin_addr.s_addr == htonl(0x01020304));
  CHECK(kernel.v4.sin_port == htons(258));
}

}  // namespace turnpike
