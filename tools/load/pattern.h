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
// its payload in bytes.
struct PatternSlot {
  Duration offset{};
  uint32_t size = 0;

  friend bool operator==(const PatternSlot&, const PatternSlot&) = default;
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
