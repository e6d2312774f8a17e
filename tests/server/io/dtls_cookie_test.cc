#include "server/io/dtls_cookie.h"

#include <doctest/doctest.h>

#include <array>

#include "tests/server/io/dtls_client.h"
#include "tests/support/core_world.h"
#include "tests/support/seeded_random.h"

namespace turnpike {
namespace {

constexpr MonoTime kStart{std::chrono::seconds(1000)};

FiveTuple Flow(const char* client, const char* server = "192.0.2.9:5349") {
  return {Address(client), Address(server), Transport::kDtls};
}

// FirstHello is a client's first ClientHello, SecondHello the one that answers `challenge`.
std::vector<uint8_t> FirstHello(DtlsTestClient& client) {
  client.Step();
  auto hello = client.to_server.at(0);
  client.to_server.clear();
  return hello;
}
std::vector<uint8_t> SecondHello(DtlsTestClient& client, std::vector<uint8_t> challenge) {
  client.from_server.push_back(std::move(challenge));
  return FirstHello(client);
}

}  // namespace

TEST_CASE("6347_4_2_1 a ClientHello is answered with less than it has, and its number") {
  SeededRandom random(1);
  DtlsCookies cookies(random);
  DtlsTestClient client;
  auto first = FirstHello(client);
  const auto hello = ReadDtlsHello(first);
  REQUIRE(hello);
  CHECK(!cookies.Verify(Flow("192.0.2.1:7"), first, kStart));
  first[10] = 9;  // the record's sequence number
  const auto challenge = cookies.Challenge(Flow("192.0.2.1:7"), *ReadDtlsHello(first), kStart);
  CHECK(challenge.size() < first.size());
  CHECK(challenge.size() == 44);
  CHECK(challenge[10] == 9);
}

TEST_CASE("6347_4_2_1 a cookie holds for its flow and no other, for a minute at least") {
  SeededRandom random(1);
  DtlsCookies cookies(random);
  DtlsTestClient client;
  const FiveTuple flow = Flow("192.0.2.1:7");
  const auto first = FirstHello(client);
  const auto second = SecondHello(client, cookies.Challenge(flow, *ReadDtlsHello(first), kStart));
  CHECK(cookies.Verify(flow, second, kStart));
  CHECK(ReadDtlsHello(second)->random == ReadDtlsHello(first)->random);
  CHECK(ReadDtlsHello(second)->message_sequence == 1);
  CHECK(!cookies.Verify(Flow("192.0.2.1:8"), second, kStart));
  CHECK(!cookies.Verify(Flow("192.0.2.2:7"), second, kStart));
  CHECK(!cookies.Verify(Flow("192.0.2.1:7", "192.0.2.9:5350"), second, kStart));
  CHECK(cookies.Verify(flow, second, kStart + std::chrono::seconds(61)));
  CHECK(!cookies.Verify(flow, second, kStart + std::chrono::seconds(122)));
}

TEST_CASE("a long silence lets both keys go") {
  SeededRandom random(1);
  DtlsCookies cookies(random);
  DtlsTestClient client;
  const FiveTuple flow = Flow("192.0.2.1:7");
  const auto first = FirstHello(client);
  const auto second = SecondHello(client, cookies.Challenge(flow, *ReadDtlsHello(first), kStart));
  CHECK(!cookies.Verify(flow, second, kStart + std::chrono::hours(1)));
}

TEST_CASE("what does not begin with a whole head of a ClientHello is none") {
  DtlsTestClient client;
  const auto hello = FirstHello(client);
  CHECK(ReadDtlsHello(hello));
  for (size_t size = 0; size < hello.size(); ++size) {
    CHECK(!ReadDtlsHello(ByteSpan(hello).first(size)));
  }
  // Type, version, epoch, message type, fragment offset.
  for (const size_t at : std::array<size_t, 8>{0, 1, 3, 4, 13, 19, 20, 21}) {
    auto other = hello;
    other[at] ^= 0x10;
    CHECK(!ReadDtlsHello(other));
  }
}

}  // namespace turnpike
