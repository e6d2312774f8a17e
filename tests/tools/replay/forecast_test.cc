// The bill before it is caused, and what the ledger's bytes cost.
#include "tools/replay/forecast.h"

#include <doctest/doctest.h>

namespace turnpike::replay {
namespace {

const WallTime kNow = ParseDate("2026-11-27T12:00Z").value();
const Payer kPayer = {"acme", "us1", "web"};

// OneFlow has 10 packets of 101 bytes up, 5 of 40 down.
Scan OneFlow() {
  Scan scan;
  Flow& flow = scan.flows.emplace_back();
  flow.taken = true;
  for (int i = 0; i < 10; ++i) flow.sides[0].volume.Add({}, 101);
  for (int i = 0; i < 5; ++i) flow.sides[1].volume.Add({}, 40);
  scan.flows.emplace_back().sides[0].volume.Add({}, 1'000'000);  // not taken
  return scan;
}

// Rates are 10 EUR a MB.
RateTable Rates(RateBasis basis = RateBasis::kPayload) {
  RateTable table;
  table.currency = "EUR";
  RateCard& card = table.cards.emplace_back();
  card.id = "test";
  card.effective_from = ParseDate("2026-01-01").value();
  card.unit = RateUnit::kMb;
  card.basis = basis;
  card.prices.push_back({{}, {}, {}, TierMode::kGraduated, {{{}, Price(10'000'000'000)}}});
  return table;
}

load::LedgerSession Booked(uint64_t up, uint64_t down) {
  load::LedgerSession session;
  session.totals.payload_bytes = {up, down};
  session.account = "acme";
  session.region = "us1";
  session.transport = "udp";
  session.label = "web";
  return session;
}

TEST_CASE("payload is that of the flows that are taken, times rounds and copies") {
  ReplayShape shape;
  shape.rounds = 3;
  shape.copies = 4;
  const auto rows = ForecastUsage(OneFlow(), shape, kPayer, kNow);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].transport == "udp");
  CHECK(rows[0].region == "us1");
  CHECK(rows[0].label == "web");
  CHECK(rows[0].bucket == BucketOf(kNow));
  CHECK(rows[0].totals.payload_bytes == std::array<uint64_t, 2>{12'120, 2400});
  CHECK(rows[0].totals.packets == std::array<uint64_t, 2>{120, 60});
}

TEST_CASE("copies have the transports that sessions will have") {
  ReplayShape shape;
  shape.copies = 4;
  shape.mix = {3, 0, 1, 0};
  const auto rows = ForecastUsage(OneFlow(), shape, kPayer, kNow);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].transport == "udp");
  CHECK(rows[0].totals.payload_bytes[0] == 3030);
  CHECK(rows[1].transport == "tls");
  CHECK(rows[1].totals.payload_bytes[0] == 1010);
}

TEST_CASE("RFC 8656 §12.4, §12.5, §10: wire bytes by framing and padding") {
  const auto wire = [](load::Mode mode, load::TransportMix mix, AddressFamily family) {
    const auto rows = ForecastUsage(OneFlow(), {1, 1, mix, mode, family}, kPayer, kNow);
    return rows.at(0).totals.wire_bytes;
  };
  using Wire = std::array<uint64_t, 2>;
  using enum AddressFamily;
  CHECK(wire(load::Mode::kChannel, {1, 0, 0, 0}, kIpv4) == Wire{10 * 105, 5 * 44});
  CHECK(wire(load::Mode::kChannel, {0, 1, 0, 0}, kIpv4) == Wire{10 * 108, 5 * 44});
  CHECK(wire(load::Mode::kSend, {1, 0, 0, 0}, kIpv4) == Wire{10 * 140, 5 * 76});
  CHECK(wire(load::Mode::kSend, {1, 0, 0, 0}, kIpv6) == Wire{10 * 152, 5 * 88});
}

TEST_CASE("the bill is the rate card's") {
  const auto usage = ForecastUsage(OneFlow(), {}, kPayer, kNow);
  const auto invoice = Bill(Rates(), "acme", usage, kNow);
  REQUIRE(invoice);
  CHECK(invoice->id == "2026-11/acme");
  CHECK(invoice->bytes == 1210);
  CHECK(FormatAmount(invoice->lines.at(0).amount) == "0.0121");
  CHECK(FormatAmount(invoice->total) == "0.01");
}

TEST_CASE("forecast and ledger agree to the byte, or the run fails") {
  const auto usage = ForecastUsage(OneFlow(), {}, kPayer, kNow);
  const auto compare = [&](std::vector<load::LedgerSession> ledger) {
    return Compare(Rates(), kPayer, usage, ledger, kNow);
  };
  const auto equal = compare({Booked(1000, 200), Booked(10, 0)});
  CHECK(equal.passed());
  CHECK(equal.forecast_bytes == 1210);
  CHECK(equal.ledger_bytes == 1210);
  CHECK(equal.forecast_total == "0.01 EUR");
  CHECK(equal.ledger_total == "0.01 EUR");
  CHECK(!compare({Booked(1009, 200)}).passed());
  CHECK(!compare({}).passed());
  auto elsewhere = Booked(1010, 200);
  elsewhere.region = "de1";
  CHECK(compare({elsewhere}).error ==
        "the server's region is de1 and the forecast is for us1: give --region");
  auto other = Booked(1010, 200);
  other.account = "globex";
  CHECK(compare({other}).error ==
        "the ledger has the account globex and the forecast is for acme: give --account");
}

TEST_CASE("where wire bytes are priced, those must agree too") {
  const auto usage = ForecastUsage(OneFlow(), {}, kPayer, kNow);
  auto session = Booked(1010, 200);
  session.totals.wire_bytes = {1050, 220};
  CHECK(Compare(Rates(RateBasis::kWire), kPayer, usage, std::span(&session, 1), kNow).passed());
  ++session.totals.wire_bytes[1];
  CHECK(!Compare(Rates(RateBasis::kWire), kPayer, usage, std::span(&session, 1), kNow).passed());
}

}  // namespace
}  // namespace turnpike::replay
