// Conditions: how they are read, and which runs meet them.
#include "tools/load/threshold.h"

#include <doctest/doctest.h>

#include <chrono>

namespace turnpike::load {
namespace {

using std::chrono::milliseconds;

// SampleRun sent 1000 packets, lost 1, and took 1 ms to 999 ms for the others.
RunResult SampleRun() {
  RunResult result;
  SessionResult session;
  session.counts[0] = {1000, 100'000, 0, 999, 99'900};
  result.sessions = {session};
  result.seconds = 10;
  result.generator.cpu_seconds = 0.001998;
  for (int i = 1; i <= 999; ++i) result.measurements.latency[0].Record(milliseconds(i));
  result.measurements.lateness.Record(milliseconds(2));
  result.measurements.gap_error.Record(milliseconds(3));
  return result;
}

Verdict JudgeText(const char* text, const RunResult& result) {
  const auto threshold = ParseThreshold(text);
  REQUIRE(threshold);
  return Judge(*threshold, result);
}

TEST_CASE("conditions that hold and that do not, one of each kind") {
  const RunResult run = SampleRun();
  for (const char* text :
       {"loss<0.11%", "loss<=0.1%", "loss>0.05%", "p50<501ms", "p99>0.9s", "max<1s", "mean<600ms",
        "lateness-p99<=2.1ms", "lateness-max<2100us", "gap-p99<=3.1ms", "failed<1", "duplicates<=0",
        "reordered<=0", "generator-cpu<2.5us", "pps>=99", "p99.9<=1s"}) {
    CAPTURE(std::string(text));
    CHECK(JudgeText(text, run).passed);
  }
  for (const char* text : {"loss<0.1%", "p50<499ms", "max>1s", "lateness-p99<1ms", "gap-max<2ms",
                           "failed>0", "generator-cpu<1us", "pps>100"}) {
    CAPTURE(std::string(text));
    CHECK(!JudgeText(text, run).passed);
  }
}

TEST_CASE("what was not measured is not met") {
  CHECK(!JudgeText("server-cpu<1s", SampleRun()).passed);
  for (const char* text : {"loss<50%", "p99<1s", "gap-p99<1s", "mean<1s", "pps>=0"}) {
    CAPTURE(std::string(text));
    const Verdict verdict = JudgeText(text, RunResult{});
    CHECK(!verdict.passed);
    CHECK(verdict.detail == std::string(text) + ": was not measured");
  }
}

TEST_CASE("a failed session counts") {
  RunResult run = SampleRun();
  run.sessions.front().failure = "gone";
  CHECK(!JudgeText("failed<1", run).passed);
}

TEST_CASE("what is no condition is refused with an example of one") {
  CHECK(ParseThreshold("loss").error() == "`loss`: write for example loss<0.1% or p99<5ms");
  CHECK(ParseThreshold("p99<5").error() ==
        "`p99<5`: what follows the sign is a time: 850us, 5ms or 1s");
  for (const char* bad : {"", "<", "p101<1ms", "p<1ms", "px<1ms", "loss<0.1ms", "loss<", "p99<ms",
                          "lateness<1ms", "failed<1%", "p99<1ms1", "p99<-1ms", "p99=5ms"}) {
    CAPTURE(std::string(bad));
    CHECK(!ParseThreshold(bad));
  }
}

}  // namespace
}  // namespace turnpike::load
