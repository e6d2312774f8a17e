#include "tools/check/dns.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/support/hex.h"

namespace turnpike::check {
namespace {

const IpAddress kClient = *IpAddress::Parse("198.51.100.77");

TEST_CASE("RFC 7871 §6: a query names the client's first 24 bits") {
  const auto query = BuildQuery(0x1234, "turn.example", RecordType::kA, kClient);
  REQUIRE(query);
  CHECK(*query == FromHex("1234 0100 0001 0000 0000 0001"     // RD, one question, one additional
                          "04 7475726e 07 6578616d706c65 00"  // turn.example
                          "0001 0001"                         // A, IN
                          "00 0029 04d0 00000000 000b"        // OPT, 1232 bytes, 11 of data
                          "0008 0007 0001 18 00 c63364"));    // IPv4, /24, scope 0, 198.51.100
}

TEST_CASE("names that are none are refused") {
  CHECK(BuildQuery(1, "example.com.", RecordType::kA, kClient));
  for (const std::string& name :
       {std::string("a..b"), std::string(64, 'a'), std::string(300, 'a')}) {
    CHECK(!BuildQuery(1, name, RecordType::kA, kClient));
  }
}

// Answered turns a query into its answer with this OPT option, or none.
std::vector<uint8_t> Answered(std::string_view option) {
  std::vector<uint8_t> bytes = FromHex(
      "123481800001000100000001"
      "047475726e076578616d706c650000010001"
      "c00c000100010000003c0004c0000201");
  const std::vector<uint8_t> data = FromHex(option);
  for (const uint8_t byte : FromHex("00002904d000000000")) bytes.push_back(byte);
  bytes.push_back(0);
  bytes.push_back(static_cast<uint8_t>(data.size()));
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

TEST_CASE("what an answer tells of Client Subnet") {
  const auto used = ParseAnswer(Answered("0008000700011818c63364"), 0x1234);
  REQUIRE(used);
  REQUIRE(used->subnet);
  CHECK(used->subnet->address.ToString() == "198.51.100.0");
  CHECK(used->subnet->scope_prefix == 24);
  CHECK(Conclude(*used).find("passes Client Subnet on, and the zone used it") != std::string::npos);
  const auto unused = ParseAnswer(Answered("0008000700011800c63364"), 0x1234);
  CHECK(Conclude(*unused).find("does not depend on it") != std::string::npos);
  const auto none = ParseAnswer(Answered(""), 0x1234);
  CHECK(none->edns);
  CHECK(Conclude(*none).find("returns no Client Subnet") != std::string::npos);
}

TEST_CASE("foreign, cut and looping answers are no answers") {
  const std::vector<uint8_t> whole = Answered("0008000700011818c63364");
  CHECK(!ParseAnswer(whole, 0x4321));
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK(!ParseAnswer(ByteSpan(whole).first(size), 0x1234));
  }
}

TEST_CASE("resolv.conf(5): the first name server") {
  CHECK(FirstResolver("search x\n#nameserver 1.1.1.1\nnameserver\t192.0.2.1\nnameserver 9.9.9.9\n")
            ->ToString() == "192.0.2.1:53");
  CHECK(FirstResolver("nameserver fe80::1%eth0\n")->ToString() == "[fe80::1]:53");
  CHECK(!FirstResolver("options edns0\n"));
}

}  // namespace
}  // namespace turnpike::check
