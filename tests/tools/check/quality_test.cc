#include "tools/check/quality.h"

#include <doctest/doctest.h>

#include <vector>

namespace turnpike::check {
namespace {

using std::chrono::milliseconds;

constexpr Stream kVoice{.count = 10, .payload_size = 250, .interval = milliseconds(20)};

MonoTime At(int ms) { return MonoTime(milliseconds(1'000'000 + ms)); }

// Arrive makes the arrival of a packet that was sent when it was due.
Arrival Arrive(uint32_t sequence, int took) {
  const int sent = static_cast<int>(sequence) * 20;
  return {sequence, At(sent), At(sent + took)};
}

TEST_CASE("an even stream: its delay, no jitter, all of its rate") {
  std::vector<Arrival> arrivals;
  for (uint32_t i = 0; i < kVoice.count; ++i) arrivals.push_back(Arrive(i, 40));
  const Quality quality = Measure(kVoice, arrivals);
  CHECK(quality.received == 10);
  CHECK(quality.loss_percent() == 0);
  CHECK(quality.rtt_min == 40);
  CHECK(quality.rtt_p50 == 40);
  CHECK(quality.rtt_p95 == 40);
  CHECK(quality.jitter == 0);
  CHECK(quality.reordered == 0);
  CHECK(quality.kbits == doctest::Approx(100));
  CHECK(quality.round_trips == std::vector<double>(10, 40.0));
}

TEST_CASE("RFC 3550 §6.4.1: jitter moves by a sixteenth of each difference") {
  const std::vector<Arrival> arrivals = {Arrive(0, 40), Arrive(1, 56), Arrive(2, 56)};
  // J = 0 + (16 - 0)/16 = 1, then 1 + (0 - 1)/16.
  CHECK(Measure(kVoice, arrivals).jitter == doctest::Approx(0.9375));
}

TEST_CASE("losses, repeats and packets that were overtaken are counted, each once") {
  const std::vector<Arrival> arrivals = {Arrive(0, 40), Arrive(2, 40), Arrive(1, 70),
                                         Arrive(1, 80), Arrive(3, 40), Arrive(77, 1)};
  const Quality quality = Measure(kVoice, arrivals);
  CHECK(quality.received == 4);
  CHECK(quality.duplicated == 1);
  CHECK(quality.reordered == 1);
  CHECK(quality.loss_percent() == doctest::Approx(60));
  CHECK(quality.round_trips[1] == 70);
  CHECK(quality.round_trips[4] < 0);
}

TEST_CASE("percentiles are by nearest rank") {
  std::vector<Arrival> arrivals;
  for (uint32_t i = 0; i < kVoice.count; ++i)
    arrivals.push_back(Arrive(i, 10 + static_cast<int>(i)));
  const Quality quality = Measure(kVoice, arrivals);
  CHECK(quality.rtt_min == 10);
  CHECK(quality.rtt_p50 == 14);
  CHECK(quality.rtt_p95 == 19);
}

TEST_CASE("a path that queues shows its own rate, whatever is lost") {
  std::vector<Arrival> arrivals;
  for (uint32_t i = 0; i < kVoice.count; ++i) {
    if (i == 4) continue;
    // Each packet takes 40 ms of the line.
    arrivals.push_back({i, At(static_cast<int>(i) * 20), At(100 + static_cast<int>(i) * 40)});
  }
  CHECK(Measure(kVoice, arrivals).kbits == doctest::Approx(52.6).epsilon(0.01));
}

TEST_CASE("nothing came back") {
  const Quality quality = Measure(kVoice, {});
  CHECK(quality.received == 0);
  CHECK(quality.loss_percent() == 100);
  CHECK(quality.kbits == 0);
}

}  // namespace
}  // namespace turnpike::check
