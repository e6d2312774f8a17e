// What people type, and which session gets which transport.
#include "tools/load/plan.h"

#include <doctest/doctest.h>

namespace turnpike::load {
namespace {

TEST_CASE("transports and their weights") {
  CHECK(ParseTransportMix("udp") == TransportMix{1, 0, 0, 0});
  CHECK(ParseTransportMix("udp=8,tls=2") == TransportMix{8, 0, 2, 0});
  CHECK(ParseTransportMix("tcp,tls") == TransportMix{0, 1, 1, 0});
  CHECK(ParseTransportMix("udp=3,dtls") == TransportMix{3, 0, 0, 1});
  for (const char* bad :
       {"", "sctp", "udp=", "udp=x", "udp=-1", "udp=1000001", "udp=0", "udp,,tcp"}) {
    CAPTURE(std::string(bad));
    CHECK(!ParseTransportMix(bad));
  }
}

TEST_CASE("sessions share the transports by weight") {
  Plan plan;
  plan.mix = {7, 2, 1, 0};
  std::array<int, kTransportCount> counts{};
  for (uint32_t i = 0; i < 1000; ++i) ++counts[static_cast<size_t>(plan.TransportOf(i))];
  CHECK(counts == std::array<int, kTransportCount>{700, 200, 100, 0});
}

TEST_CASE("servers") {
  struct Row {
    const char* text;
    const char* host;
    std::optional<uint16_t> port;
  };
  for (const Row& row :
       {Row{"turn.example", "turn.example", std::nullopt},
        Row{"turn.example:443", "turn.example", 443}, Row{"192.0.2.1:3478", "192.0.2.1", 3478},
        Row{"2001:db8::1", "2001:db8::1", std::nullopt},
        Row{"[2001:db8::1]:3478", "2001:db8::1", 3478},
        Row{"[2001:db8::1]", "2001:db8::1", std::nullopt}}) {
    CAPTURE(std::string(row.text));
    const auto parsed = ParseHostPort(row.text);
    REQUIRE(parsed);
    CHECK(parsed->host == row.host);
    CHECK(parsed->port == row.port);
  }
  for (const char* bad : {"", ":3478", "turn.example:", "turn.example:0", "turn.example:65536",
                          "turn.example:x", "[2001:db8::1", "[::1]3478", "http://turn.example"}) {
    CAPTURE(std::string(bad));
    CHECK(!ParseHostPort(bad));
  }
}

TEST_CASE("modes and directions") {
  CHECK(ParseMode("channel") == Mode::kChannel);
  CHECK(ParseMode("send") == Mode::kSend);
  CHECK(!ParseMode("data"));
  CHECK(ParseTraffic("echo") == Traffic::kEcho);
  CHECK(ParseTraffic("up") == Traffic::kUp);
  CHECK(ParseTraffic("down") == Traffic::kDown);
  CHECK(ParseTraffic("duplex") == Traffic::kDuplex);
  CHECK(!ParseTraffic("both"));
}

}  // namespace
}  // namespace turnpike::load
