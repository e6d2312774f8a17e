#include "server/ops/exposition.h"

#include <doctest/doctest.h>

#include <array>
#include <limits>

namespace turnpike {
namespace {

TEST_CASE("numbers are printed exactly, however large") {
  CHECK(Value{8'050'031'004}.ToString() == "8050031004");
  CHECK(Value{9'007'199'254'740'993}.ToString() == "9007199254740993");  // 2^53 + 1
  CHECK(Value{1'000'000'000'000'000}.ToString() == "1000000000000000");
  CHECK(Value{std::numeric_limits<uint64_t>::max()}.ToString() == "18446744073709551615");
}

TEST_CASE("decimals need no double") {
  CHECK(Value{0, 3}.ToString() == "0");
  CHECK(Value{1, 3}.ToString() == "0.001");
  CHECK(Value{1500, 3}.ToString() == "1.5");
  CHECK(Value{2000, 3}.ToString() == "2");
  CHECK(Value{10'000, 3}.ToString() == "10");
  CHECK(Value{123'456'789, 9}.ToString() == "0.123456789");
  CHECK(Value{1'795'000'000'123'456, 6}.ToString() == "1795000000.123456");
}

TEST_CASE("a family without samples leaves nothing behind") {
  ExpositionWriter writer;
  writer.Begin("empty", MetricType::kGauge, "Nothing.");
  writer.Begin("one", MetricType::kGauge, "One.");
  writer.Add(1);
  CHECK(writer.text() == "# HELP one One.\n# TYPE one gauge\none 1\n");
}

TEST_CASE("labels escape what the format and UTF-8 need escaped") {
  ExpositionWriter writer;
  writer.Begin("m", MetricType::kCounter, "Help.");
  writer.Add(1, {LabelOf("a", "quote\" back\\slash line\nend"), LabelOf("b", "\xFF\x00z")});
  writer.Add(2, {LabelOf("a", "Zürich 東京")});
  CHECK(writer.text() ==
        "# HELP m Help.\n# TYPE m counter\n"
        "m{a=\"quote\\\" back\\\\x5Cslash line\\\\x0Aend\",b=\"\\\\xFF\"} 1\n"
        "m{a=\"Zürich 東京\"} 2\n");
}

TEST_CASE("a label's own line feed is escaped too") {
  ExpositionWriter writer;
  writer.Begin("m", MetricType::kGauge, "Help.");
  writer.Add(1, {Label{"a", "x\ny"}});
  CHECK(writer.text() == "# HELP m Help.\n# TYPE m gauge\nm{a=\"x\\ny\"} 1\n");
}

TEST_CASE("histograms are cumulative and end with +Inf") {
  ExpositionWriter writer;
  writer.Begin("h_seconds", MetricType::kHistogram, "Help.");
  const std::array<uint32_t, 2> bounds = {5, 1000};
  const std::array<uint64_t, 3> counts = {3, 4, 5};
  writer.AddHistogram(bounds, 3, counts, Value{12'345, 3});
  CHECK(writer.text() ==
        "# HELP h_seconds Help.\n# TYPE h_seconds histogram\n"
        "h_seconds_bucket{le=\"0.005\"} 3\n"
        "h_seconds_bucket{le=\"1\"} 7\n"
        "h_seconds_bucket{le=\"+Inf\"} 12\n"
        "h_seconds_sum 12.345\n"
        "h_seconds_count 12\n");
}

}  // namespace
}  // namespace turnpike
