// The generator's books against the server's.
#include "tools/load/billing.h"

#include <doctest/doctest.h>

namespace turnpike::load {
namespace {

SessionResult Session(uint32_t number, uint16_t port, FlowCounts up, FlowCounts down) {
  SessionResult session;
  session.number = number;
  session.client = {IpAddress::Parse("192.0.2.1").value(), port};
  session.relayed = TransportAddress{IpAddress::Parse("203.0.113.7").value(), port};
  session.counts = {up, down};
  return session;
}

LedgerSession Booked(uint16_t port, uint64_t up, uint64_t down, bool ended = true) {
  LedgerSession session;
  session.client_address = "192.0.2.1:" + std::to_string(port);
  session.relayed_address = "203.0.113.7:" + std::to_string(port);
  session.ended = ended;
  session.totals.payload_bytes = {up, down};
  return session;
}

// Whole is a flow that lost nothing.
FlowCounts Whole(uint64_t packets) { return {packets, packets * 100, 0, packets, packets * 100}; }

TEST_CASE("equal books differ by nothing") {
  const std::vector sessions = {Session(0, 1, Whole(5), Whole(2)), Session(1, 2, Whole(1), {})};
  const std::vector ledger = {Booked(2, 100, 0), Booked(1, 500, 200)};
  const BillingResult result =
      CompareBilling({sessions, ledger, std::array<uint64_t, 2>{600, 200}});
  CHECK(result.passed());
  CHECK(result.sessions == 2);
  CHECK(result.generator_bytes == 800);
  CHECK(result.ledger_bytes == 800);
  CHECK(result.metrics_bytes == 800);
  CHECK(result.undecided_bytes == 0);
}

TEST_CASE("a byte too much or too little names the session") {
  for (const uint64_t billed : {499u, 501u}) {
    const std::vector sessions = {Session(7, 1, Whole(5), {})};
    const std::vector ledger = {Booked(1, billed, 0)};
    const BillingResult result = CompareBilling({sessions, ledger, std::nullopt});
    REQUIRE(result.differences.size() == 1);
    CHECK(result.differences[0].what ==
          "session 7 (udp, client 192.0.2.1:1, relayed 203.0.113.7:1) client_to_peer");
    CHECK(result.differences[0].server == billed);
    CHECK(result.differences[0].generator_low == 500);
  }
}

TEST_CASE("what was lost may have been lost on either side of the server") {
  const FlowCounts lossy{10, 1000, 0, 8, 800};
  const std::vector sessions = {Session(0, 1, lossy, {})};
  for (const uint64_t billed : {800u, 900u, 1000u}) {
    const std::vector ledger = {Booked(1, billed, 0)};
    const BillingResult result = CompareBilling({sessions, ledger, std::nullopt});
    CHECK(result.passed());
    CHECK(result.undecided_bytes == 200);
  }
  for (const uint64_t billed : {799u, 1001u}) {
    const std::vector ledger = {Booked(1, billed, 0)};
    CHECK(!CompareBilling({sessions, ledger, std::nullopt}).passed());
  }
}

TEST_CASE("a session that the ledger lacks is a difference, also when it relayed nothing") {
  const std::vector sessions = {Session(3, 1, {}, {})};
  const BillingResult result = CompareBilling({sessions, {}, std::nullopt});
  REQUIRE(result.differences.size() == 1);
  CHECK(result.differences[0].what.ends_with("is not in the ledger"));
}

TEST_CASE("a session that never got an allocation owes nothing") {
  const std::vector sessions = {SessionResult{}};
  CHECK(CompareBilling({sessions, {}, std::nullopt}).passed());
  CHECK(AllClosed(sessions, {}));
}

TEST_CASE("ports that are used again: the books are compared in the order of time") {
  const std::vector sessions = {Session(0, 1, Whole(1), {}), Session(9, 1, Whole(2), {})};
  const std::vector ledger = {Booked(1, 100, 0), Booked(1, 200, 0)};
  CHECK(CompareBilling({sessions, ledger, std::nullopt}).passed());
}

TEST_CASE("metrics that differ are named") {
  const std::vector sessions = {Session(0, 1, Whole(5), {})};
  const std::vector ledger = {Booked(1, 500, 0)};
  const BillingResult result = CompareBilling({sessions, ledger, std::array<uint64_t, 2>{500, 1}});
  REQUIRE(result.differences.size() == 1);
  CHECK(result.differences[0].what == "turn_relay_bytes_total peer_to_client");
}

TEST_CASE("the ledger is complete when every session has ended") {
  const std::vector sessions = {Session(0, 1, {}, {}), Session(1, 2, {}, {})};
  CHECK(!AllClosed(sessions, {}));
  CHECK(!AllClosed(sessions, std::vector{Booked(1, 0, 0), Booked(2, 0, 0, false)}));
  CHECK(AllClosed(sessions, std::vector{Booked(1, 0, 0), Booked(2, 0, 0)}));
}

TEST_CASE("a metrics page") {
  const auto sums = RelayedBytesOf(
      "# HELP turn_relay_bytes_total Payload.\n"
      "turn_relay_bytes_total{transport=\"udp\",direction=\"client_to_peer\"} 100\n"
      "turn_relay_bytes_total{transport=\"tcp\",direction=\"client_to_peer\"} 1e3\n"
      "turn_relay_bytes_total{transport=\"udp\",direction=\"peer_to_client\"} 7\n"
      "turn_relay_wire_bytes_total{transport=\"udp\",direction=\"client_to_peer\"} 900\n");
  REQUIRE(sums);
  CHECK(*sums == std::array<uint64_t, 2>{1100, 7});
  CHECK(!RelayedBytesOf("up 1\n"));
}

}  // namespace
}  // namespace turnpike::load
