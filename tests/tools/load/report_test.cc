// The result in every form that it is written in.
#include "tools/load/report.h"

#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/load/plot.h"
#include "tools/load/report_files.h"

namespace turnpike::load {
namespace {

using std::chrono::microseconds;

RunResult SampleRun() {
  RunResult result;
  result.server = "turn.example";
  result.seconds = 2;
  SessionResult whole, failed;
  whole.counts[0] = {100, 16'000, 2, 90, 14'400};
  whole.kernel_drops = 3;
  failed.failure = "Allocate failed with 401 (Unauthorized) <&>";
  result.sessions = {whole, failed};
  result.generator = {0.00018, 1 << 20};
  result.server_cost = ProcessCost{0.00036, 2 << 20};
  for (int i = 1; i <= 90; ++i) {
    const MonoTime sent{std::chrono::milliseconds(20 * i)};
    result.measurements.latency[0].Record(microseconds(i));
    result.measurements.timeline.OnSent(sent, 160);
    result.measurements.timeline.OnReceived(sent, 160, microseconds(i));
  }
  BillingResult billing;
  billing.sessions = 1;
  billing.generator_bytes = 14'400;
  billing.ledger_bytes = 14'401;
  billing.differences = {{"session 0 client_to_peer", 14'400, 14'400, 14'401}};
  result.billing = billing;
  return result;
}

TEST_CASE("totals of a run") {
  const RunResult run = SampleRun();
  CHECK(run.relayed_packets() == 90);
  CHECK(run.relayed_bytes() == 14'400);
  CHECK(run.loss() == doctest::Approx(0.1));
  CHECK(run.unsent_packets() == 2);
  CHECK(run.kernel_drops() == 3);
  CHECK(CpuMicrosPerPacket(run.generator, run) == doctest::Approx(2));
  CHECK(run.failures().size() == 1);
}

TEST_CASE("an echo's latency is the round trip's alone") {
  RunResult run;
  run.measurements.latency[0].Record(microseconds(1));
  run.measurements.latency[1].Record(microseconds(9));
  CHECK(run.latency().count() == 2);
  run.echo = true;
  CHECK(run.latency().count() == 1);
  CHECK(run.latency().max() == microseconds(9));
}

TEST_CASE("json has what programs ask for") {
  std::ostringstream out;
  WriteJson(SampleRun(), out);
  const auto json = nlohmann::json::parse(out.str());
  CHECK(json["server"] == "turn.example");
  CHECK(json["failed_sessions"] == 1);
  CHECK(json["client_to_peer"]["lost_packets"] == 10);
  CHECK(json["client_to_peer"]["received_bytes"] == 14'400);
  CHECK(json["latency_us"]["p50"].get<double>() == doctest::Approx(45).epsilon(0.001));
  CHECK(json["server_process"]["cpu_us_per_packet"].get<double>() == doctest::Approx(4));
  CHECK(json["billing"]["passed"] == false);
  CHECK(json["billing"]["differences"][0]["server"] == 14'401);
  CHECK(json["intervals"].size() == 2);
}

TEST_CASE("the table names the failures and the bill") {
  std::ostringstream out;
  WriteTable(SampleRun(), out);
  CHECK(out.str().find("1 x Allocate failed with 401") != std::string::npos);
  CHECK(out.str().find("1 differ\n  session 0 client_to_peer: the generator counts 14400 bytes, "
                       "the server 14401\n") != std::string::npos);
}

TEST_CASE("latencies are shown in a unit that suits them") {
  CHECK(FormatLatency(Duration(850)) == "850 ns");
  CHECK(FormatLatency(microseconds(42)) == "42.0 us");
  CHECK(FormatLatency(microseconds(3070)) == "3.07 ms");
  CHECK(FormatLatency(std::chrono::seconds(2)) == "2.00 s");
}

TEST_CASE("the percentile file rises to 1 and ends with the totals") {
  Histogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.Record(microseconds(i));
  std::ostringstream out;
  WriteHdr(histogram, out);
  std::istringstream in(out.str());
  std::string line;
  std::getline(in, line);
  CHECK(line == "       Value     Percentile TotalCount 1/(1-Percentile)");
  double value = 0, share = 0, last_share = -1;
  uint64_t count = 0;
  int rows = 0;
  while (std::getline(in, line) && !line.starts_with('#')) {
    if (line.empty()) continue;
    std::istringstream(line) >> value >> share >> count;
    CHECK(share > last_share);
    CHECK(value == doctest::Approx(share).epsilon(0.002));
    last_share = share;
    ++rows;
  }
  CHECK(rows > 20);
  CHECK(share == 1);
  CHECK(count == 1000);
  CHECK(line.starts_with("#[Mean    ="));
  std::ostringstream empty;
  WriteHdr({}, empty);
  CHECK(empty.str().find("Total count    =            0]") != std::string::npos);
}

TEST_CASE("junit: a case for the run, the bill and each condition, and no markup from outside") {
  const std::vector<Verdict> verdicts = {{"loss<1%", 0.1, false, "loss<1%: 10.0000%"},
                                         {"p99<1s", 1, true, "p99<1s: 1 ms"}};
  std::ostringstream out;
  WriteJUnit(SampleRun(), verdicts, out);
  CHECK(out.str().find("tests=\"4\" failures=\"3\"") != std::string::npos);
  CHECK(out.str().find("name=\"loss&lt;1%\">\n    <failure") != std::string::npos);
  CHECK(out.str().find("name=\"p99&lt;1s\"/>") != std::string::npos);
  CHECK(out.str().find("(Unauthorized) &lt;&amp;&gt;") != std::string::npos);
}

TEST_CASE("a forecast that did not come true is in the table, the JSON and JUnit") {
  RunResult run = SampleRun();
  run.command = "replay";
  run.forecast = ForecastResult{14'400, 14'401, "1.00 EUR", "1.01 EUR", false, {}};
  run.measurements.gap_error.Record(microseconds(7));
  std::ostringstream table, junit, json;
  WriteTable(run, table);
  CHECK(table.str().ends_with(
      "forecast: 14400 bytes, 1.00 EUR; ledger: 14401 bytes, 1.01 EUR: DIFFERENT\n"));
  CHECK(table.str().find("\nerror of its gaps ") != std::string::npos);
  WriteJUnit(run, {}, junit);
  CHECK(junit.str().find(
            "<testcase classname=\"turnpike.replay\" name=\"forecast\">\n    <failure "
            "message=\"forecast 14400 bytes, 1.00 EUR; ledger 14401 bytes, 1.01 EUR\"/>") !=
        std::string::npos);
  WriteJson(run, json);
  const auto parsed = nlohmann::json::parse(json.str());
  CHECK(parsed["forecast"]["passed"] == false);
  CHECK(parsed["forecast"]["ledger_total"] == "1.01 EUR");
  CHECK(parsed["gap_error_us"]["count"] == 1);
}

TEST_CASE("the page is whole, needs nothing else and escapes what is from outside") {
  std::ostringstream out;
  WriteHtml(SampleRun(), {}, out);
  const std::string page = out.str();
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(page.find("<&>") == std::string::npos);
  CHECK(page.find("http") == std::string::npos);
  size_t plots = 0;
  for (size_t at = 0; (at = page.find("<svg", at)) != std::string::npos; ++at) ++plots;
  CHECK(plots == 4);
}

TEST_CASE("steps of axes are round numbers") {
  CHECK(NiceStep(10, 5) == doctest::Approx(2));
  CHECK(NiceStep(100, 10) == doctest::Approx(10));
  CHECK(NiceStep(0.07, 5) == doctest::Approx(0.02));
  CHECK(NiceStep(21, 5) == doctest::Approx(5));
}

}  // namespace
}  // namespace turnpike::load
