// What the profiles add up to.
#include "tools/load/pattern.h"

#include <doctest/doctest.h>

namespace turnpike::load {
namespace {

double BitsPerSecond(const Pattern& pattern) {
  return 8.0 * static_cast<double>(pattern.bytes()) * 1e9 /
         static_cast<double>(pattern.period.count());
}

TEST_CASE("voice is 50 packets a second") {
  CHECK(PatternOf(Profile::kOpus, 0).packets_per_second() == doctest::Approx(50));
  CHECK(PatternOf(Profile::kOpus, 0).slots == std::vector<PatternSlot>{{Duration(0), 102}});
  CHECK(PatternOf(Profile::kG711, 7).packets_per_second() == doctest::Approx(50));
  CHECK(PatternOf(Profile::kG711, 7).slots == std::vector<PatternSlot>{{Duration(0), 182}});
}

TEST_CASE("video is 1.5 Mbit/s in 30 frames a second, no packet above 1200 bytes") {
  const Pattern video = PatternOf(Profile::kVideo, 0);
  CHECK(BitsPerSecond(video) == doctest::Approx(1.5e6));
  CHECK(video.packets_per_second() == doctest::Approx(30 * 6));
  for (const PatternSlot& slot : video.slots) CHECK(slot.size() <= 1200);
}

TEST_CASE("mixed is one video to four voices") {
  int videos = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    if (PatternOf(Profile::kMixed, i).slots.size() > 1) ++videos;
  }
  CHECK(videos == 20);
}

TEST_CASE("a slot is eight bytes and holds what a capture may have") {
  static_assert(sizeof(PatternSlot) == 8);
  const PatternSlot last(PatternSlot::kLastOffset + std::chrono::seconds(1),
                         PatternSlot::kLargestSize);
  CHECK(last.offset() == PatternSlot::kLastOffset + std::chrono::seconds(1));
  CHECK(last.size() == 65'535);
  const PatternSlot first(Duration(1), 0);
  CHECK(first.offset() == Duration(1));
  CHECK(first.size() == 0);
}

TEST_CASE("names of profiles") {
  CHECK(ParseProfile("opus") == Profile::kOpus);
  CHECK(ParseProfile("g711") == Profile::kG711);
  CHECK(ParseProfile("video-1.5m") == Profile::kVideo);
  CHECK(ParseProfile("mixed") == Profile::kMixed);
  CHECK(ParseProfile("Opus").error() ==
        "`Opus` is no profile: use opus, g711, video-1.5m or mixed");
}

}  // namespace
}  // namespace turnpike::load
