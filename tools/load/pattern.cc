#include "tools/load/pattern.h"

#include <chrono>

namespace turnpike::load {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kRtpHeader = 12;
constexpr uint32_t kSrtpTag = 10;

// A frame of video leaves at once, cut to what fits a packet: 30 frames/s of 6,250 bytes.
Pattern Video() {
  constexpr uint32_t kFrame = 6250;
  constexpr uint32_t kLargest = 1200;
  constexpr int kFramesPerSecond = 30;
  Pattern pattern;
  pattern.period = Duration(std::chrono::seconds(1)) / kFramesPerSecond;
  for (uint32_t left = kFrame; left > 0;) {
    const uint32_t size = left > kLargest ? kLargest : left;
    pattern.slots.push_back({Duration(0), size});
    left -= size;
  }
  return pattern;
}

}  // namespace

uint64_t Pattern::bytes() const {
  uint64_t sum = 0;
  for (const PatternSlot& slot : slots) sum += slot.size();
  return sum;
}

double Pattern::packets_per_second() const {
  return static_cast<double>(slots.size()) / std::chrono::duration<double>(period).count();
}

std::expected<Profile, std::string> ParseProfile(std::string_view name) {
  if (name == "opus") return Profile::kOpus;
  if (name == "g711") return Profile::kG711;
  if (name == "video-1.5m") return Profile::kVideo;
  if (name == "mixed") return Profile::kMixed;
  return std::unexpected("`" + std::string(name) +
                         "` is no profile: use opus, g711, video-1.5m or mixed");
}

Pattern PatternOf(Profile profile, uint32_t session) {
  constexpr uint32_t kOpusFrame = 80;  // 32 kbit/s, 20 ms
  constexpr uint32_t kG711Frame = 160;
  constexpr uint32_t kVideoOneIn = 5;
  switch (profile) {
    case Profile::kG711:
      return ConstantPattern(milliseconds(20), kG711Frame + kRtpHeader + kSrtpTag);
    case Profile::kVideo:
      return Video();
    case Profile::kMixed:
      if (session % kVideoOneIn == 0) return Video();
      break;
    case Profile::kOpus:
      break;
  }
  return ConstantPattern(milliseconds(20), kOpusFrame + kRtpHeader + kSrtpTag);
}

Pattern ConstantPattern(Duration period, uint32_t size) { return {{{Duration(0), size}}, period}; }

}  // namespace turnpike::load
