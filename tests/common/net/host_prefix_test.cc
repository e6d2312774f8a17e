#include "common/net/host_prefix.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

std::string PrefixOf(std::string_view address) {
  return HostPrefix(IpAddress::Parse(address).value()).ToString();
}

TEST_CASE("a client is counted by its IPv4 address or its IPv6 /64") {
  CHECK(PrefixOf("192.0.2.7") == "192.0.2.7");
  CHECK(PrefixOf("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
  CHECK(PrefixOf("::1") == "::");
}

}  // namespace
}  // namespace turnpike
