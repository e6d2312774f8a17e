#include "common/metering/reconcile.h"

#include <doctest/doctest.h>

#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::World;

std::string Show(const std::vector<Difference>& differences) {
  std::string text;
  for (const Difference& row : differences) {
    text += row.key.account + " " + row.key.region + " " + row.key.direction + " " +
            std::to_string(row.ledger) + " " + std::to_string(row.other) + "\n";
  }
  return text;
}

Figures Parse(const std::string& text) {
  const auto figures = ParseFigures(text);
  REQUIRE_MESSAGE(figures, figures.error());
  return *figures;
}

TEST_CASE("a ledger's figures are named as the labels of its metrics") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  world.Relay(world.Begin("acme"), Direction::kClientToPeer, 100);
  world.Relay(world.Begin("_other"), Direction::kPeerToClient, 7);
  world.Relay(world.Begin("a\"\n"), Direction::kPeerToClient, 5);
  world.Checkpoint();
  const auto read = ReadLedgerFigures(directory.path());
  REQUIRE(read);
  CHECK(read->as_of == world.now);
  const std::string page =
      "# TYPE turn_billable_bytes_total counter\n"
      "turn_billable_bytes_total{account=\"acme\",region=\"us1\",direction=\"client_to_peer\"} "
      "100\n"
      "turn_billable_bytes_total{account=\"acme\",region=\"us1\",direction=\"peer_to_client\"} 0\n"
      "turn_billable_bytes_total{account=\"\\\\x5Fother\",region=\"us1\",direction=\"peer_to_client"
      "\"} 7\n"
      "turn_billable_bytes_total{account=\"a\\\"\\\\x0A\",region=\"us1\",direction=\"peer_to_client"
      "\"} 5\n"
      "turn_draining 0\n";
  CHECK(Show(Reconcile(read->figures, Parse(page))).empty());
}

TEST_CASE("differences are listed, whichever side has more") {
  const Figures ledger = {{{"acme", "us1", "client_to_peer"}, 100}, {{"b", "us1", "x"}, 1}};
  const Figures other = {{{"acme", "us1", "client_to_peer"}, 99}, {{"c", "us1", "x"}, 2}};
  CHECK(Show(Reconcile(ledger, other)) ==
        "acme us1 client_to_peer 100 99\nb us1 x 1 0\nc us1 x 0 2\n");
}

TEST_CASE("accounts beyond the cap on series are held against _other") {
  const Figures ledger = {{{"a", "us1", "x"}, 1}, {{"b", "us1", "x"}, 2}, {{"c", "us1", "x"}, 4}};
  CHECK(Reconcile(ledger, {{{"a", "us1", "x"}, 1}, {{"_other", "us1", "x"}, 6}}).empty());
  CHECK(Show(Reconcile(ledger, {{{"a", "us1", "x"}, 1}, {{"_other", "us1", "x"}, 5}})) ==
        "_other us1 x 6 5\n");
}

TEST_CASE("an answer of Prometheus: instances add up, large figures are floating-point") {
  const Figures figures = Parse(R"({"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"account":"acme","region":"us1","direction":"d","instance":"a"},
     "value":[1795176000.1,"100"]},
    {"metric":{"account":"acme","region":"us1","direction":"d","instance":"b"},
     "value":[1795176000.1,"1.2e+3"]},
    {"metric":{"account":"big","region":"us1","direction":"d"},
     "value":[1,"9.007199254740996e+15"]}]}})");
  CHECK(figures.at({"acme", "us1", "d"}) == 1300);
  const Figures ledger = {{{"acme", "us1", "d"}, 1300}, {{"big", "us1", "d"}, 9007199254740995}};
  CHECK(Reconcile(ledger, figures).empty());  // no double lies nearer
  const Figures rounded = {{{"acme", "us1", "d"}, 1300}, {{"big", "us1", "d"}, 9007199254740993}};
  CHECK(Show(Reconcile(rounded, figures)) == "big us1 d 9007199254740993 9007199254740996\n");
}

TEST_CASE("what is no answer and no page is refused") {
  const auto error = [](const std::string& text) {
    const auto figures = ParseFigures(text);
    REQUIRE(!figures);
    return figures.error();
  };
  CHECK(error("").find("there is no turn_billable_bytes_total in it") == 0);
  CHECK(error("<html>").find("there is no turn_billable_bytes_total in it") == 0);
  CHECK(error("{").find("not an answer of Prometheus") == 0);
  CHECK(error(R"({"status":"error","error":"parse error"})") == "Prometheus says: parse error");
  for (const char* line :
       {"turn_billable_bytes_total 5", "turn_billable_bytes_total{account=\"a} 5",
        "turn_billable_bytes_total{account=\"a\"} -5",
        "turn_billable_bytes_total{account=\"a\"} 1.5",
        "turn_billable_bytes_total{account=\"a\\"}) {
    CAPTURE(std::string(line));
    CHECK(error(line).find("cannot read this line of metrics") == 0);
  }
}

}  // namespace
}  // namespace turnpike
