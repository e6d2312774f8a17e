#include "common/net/ip_set.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }
IpRange Range(std::string_view text) { return IpRange::Parse(text).value(); }

TEST_CASE("range: text round trips, and a lone address is a range of one") {
  CHECK(Range("10.0.0.0/8").ToString() == "10.0.0.0/8");
  CHECK(Range("fc00::/7").ToString() == "fc00::/7");
  CHECK(Range("0.0.0.0/0").ToString() == "0.0.0.0/0");
  CHECK(Range("192.0.2.1").ToString() == "192.0.2.1/32");
  CHECK(Range("::1").ToString() == "::1/128");
}

TEST_CASE("range: errors say what is wrong") {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
                           "10.0.0.0/0x8", "::/129", "::/1000", "10.0.0/8", "10.0.0.0 /8"}) {
    CAPTURE(text);
    CHECK_FALSE(IpRange::Parse(text));
  }
  CHECK(IpRange::Parse("10.0.0.0/33").error().find("0 to 32") != std::string::npos);
  CHECK(IpRange::Parse("::/129").error().find("0 to 128") != std::string::npos);
  CHECK(IpRange::Parse("ten/8").error().find("ADDRESS/BITS") != std::string::npos);
}

TEST_CASE("range: a host part is an error that names the range that was meant") {
  CHECK(IpRange::Parse("10.1.0.0/8").error().find("10.0.0.0/8") != std::string::npos);
  CHECK(IpRange::Parse("fd00::/7").error().find("fc00::/7") != std::string::npos);
}

TEST_CASE("range: both edges are inside, what lies beyond is not") {
  const IpRange cgnat = Range("100.64.0.0/10");
  CHECK(cgnat.Contains(Ip("100.64.0.0")));
  CHECK(cgnat.Contains(Ip("100.127.255.255")));
  CHECK_FALSE(cgnat.Contains(Ip("100.63.255.255")));
  CHECK_FALSE(cgnat.Contains(Ip("100.128.0.0")));
  CHECK(Range("fc00::/7").Contains(Ip("fdff:ffff::1")));
  CHECK_FALSE(Range("fc00::/7").Contains(Ip("fe00::")));
  CHECK(Range("192.0.2.1").Contains(Ip("192.0.2.1")));
  CHECK_FALSE(Range("192.0.2.1").Contains(Ip("192.0.2.0")));
}

TEST_CASE("range: of one family only, also /0") {
  CHECK(Range("0.0.0.0/0").Contains(Ip("8.8.8.8")));
  CHECK_FALSE(Range("0.0.0.0/0").Contains(Ip("::808:808")));
  CHECK(Range("::/0").Contains(Ip("ffff::")));
  CHECK_FALSE(Range("::/0").Contains(Ip("1.2.3.4")));
}

TEST_CASE("set: a union; the empty set has nothing") {
  IpSet set;
  CHECK(set.empty());
  CHECK_FALSE(set.Contains(Ip("10.0.0.1")));
  set.Add(Range("10.0.0.0/8"));
  set.Add(Range("::1"));
  CHECK(set.Contains(Ip("10.0.0.1")));
  CHECK(set.Contains(Ip("::1")));
  CHECK_FALSE(set.Contains(Ip("::2")));
  CHECK(set.ranges().size() == 2);
}

}  // namespace
}  // namespace turnpike
