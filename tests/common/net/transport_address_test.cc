#include "common/net/transport_address.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }

TEST_CASE("ip: text round trips in canonical form") {
  CHECK(Ip("203.0.113.7").ToString() == "203.0.113.7");
  CHECK(Ip("2001:DB8:0:0:1:0:0:1").ToString() == "2001:db8::1:0:0:1");  // RFC 5952 §4.2.3
  CHECK(Ip("::").ToString() == "::");
  CHECK(Ip("::ffff:192.0.2.1").ToString() == "::ffff:192.0.2.1");
  CHECK(IpAddress() == Ip("0.0.0.0"));
}

TEST_CASE("ip: what is not exactly an address is refused") {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "1.2.3"sv, "1.2.3.4.5"sv, "256.0.0.1"sv, "01.2.3.4"sv, "1.2.3.4 "sv, "[::1]"sv,
        "fe80::1%eth0"sv, ":::"sv, "1.2.3.4\0"sv, "127.0.0.1\0.5"sv, "localhost"sv,
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"sv}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::Parse(text));
  }
}

TEST_CASE("ip: families never compare equal, and mapped addresses fold only when asked") {
  const IpAddress mapped = Ip("::ffff:127.0.0.1");
  CHECK(mapped != Ip("127.0.0.1"));
  CHECK(mapped.Unmapped() == Ip("127.0.0.1"));
  CHECK(Ip("::127.0.0.1").Unmapped() == Ip("::127.0.0.1"));
  CHECK(Ip("::fffe:1.2.3.4").Unmapped() == Ip("::fffe:1.2.3.4"));
  CHECK(Ip("10.0.0.1").Unmapped() == Ip("10.0.0.1"));
  CHECK(Ip("::") != Ip("0.0.0.0"));
}

TEST_CASE("ip: unspecified and bytes") {
  CHECK(Ip("0.0.0.0").is_unspecified());
  CHECK(Ip("::").is_unspecified());
  CHECK_FALSE(Ip("0.0.0.1").is_unspecified());
  CHECK_FALSE(Ip("::1").is_unspecified());
  CHECK(Ip("1.2.3.4").bytes().size() == 4);
  CHECK(Ip("1.2.3.4").bytes()[3] == 4);
  CHECK(Ip("::1").bytes().size() == 16);
}

TEST_CASE("transport address: text round trips") {
  for (const char* text : {"203.0.113.7:3478", "[2001:db8::7]:3478", "0.0.0.0:0", "[::]:65535"}) {
    CAPTURE(text);
    CHECK(TransportAddress::Parse(text).value().ToString() == text);
  }
}

TEST_CASE("transport address: brackets belong to IPv6 only, and the port to 0-65535") {
  for (const char* text :
       {"", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1",
        "1.2.3.4:1x", "1.2.3.4:000001", "[1.2.3.4]:5", "::1:5", "[::1]", "[::1]:", "[::1:5", "[:5",
        "[]:5", "host:5"}) {
    CAPTURE(text);
    CHECK_FALSE(TransportAddress::Parse(text));
  }
}

}  // namespace
}  // namespace turnpike
