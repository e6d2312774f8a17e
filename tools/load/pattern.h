// When the packets of one flow are to leave, and how large they are.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace turnpike::load {

// PatternSlot is one packet of a pattern: when it leaves, counted from the start of the round, and
// its payload in bytes. It takes 8 bytes, since a replayed capture may have tens of millions.
class PatternSlot {
 public:
  // What fits: offsets from 0 to a little more than three days, and any datagram's size.
  static constexpr Duration kLastOffset = std::chrono::hours(72);
  static constexpr uint32_t kLargestSize = UINT16_MAX;

  constexpr PatternSlot(Duration offset, uint32_t size)
      : packed_(static_cast<uint64_t>(offset.count()) << kSizeBits | size) {}

  constexpr Duration offset() const { return Duration(static_cast<int64_t>(packed_ >> kSizeBits)); }
  constexpr uint32_t size() const { return packed_ & kLargestSize; }

  friend bool operator==(const PatternSlot&, const PatternSlot&) = default;

 private:
  static constexpr int kSizeBits = 16;

  uint64_t packed_;
};

// Pattern is a round of packets that repeats each `period`. Slots are in the order of their
// offsets, all below the period; there is at least one.
struct Pattern {
  std::vector<PatternSlot> slots;
  Duration period{};

  // bytes is the payload of one round.
  uint64_t bytes() const;
  // packets_per_second is the mean rate.
  double packets_per_second() const;
};

// Profile names what a session sends.
enum class Profile : uint8_t { kOpus, kG711, kVideo, kMixed };

// ParseProfile reads `opus`, `g711`, `video-1.5m` or `mixed`. It fails with a sentence.
std::expected<Profile, std::string> ParseProfile(std::string_view name);

// PatternOf returns what session number `session` sends under `profile`, in one direction. Sizes
// are those of SRTP packets. Under kMixed every fifth session sends video, the others talk.
Pattern PatternOf(Profile profile, uint32_t session);

// ConstantPattern is one packet of `size` bytes each `period`.
Pattern ConstantPattern(Duration period, uint32_t size);

}  // namespace turnpike::load
