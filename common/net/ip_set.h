// Sets of IP addresses written as CIDR ranges.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/net/transport_address.h"

namespace turnpike {

// IpRange is one CIDR range, for example 10.0.0.0/8 or fc00::/7.
struct IpRange {
  IpAddress base;
  uint8_t prefix_bits = 0;

  // Parse reads `ADDRESS/BITS`, or a lone address as a range of one. It fails with a sentence that
  // says what is wrong: a host part that is not zero is an error, since it is usually a slip.
  static std::expected<IpRange, std::string> Parse(std::string_view text);

  // Contains says whether `ip` is of the same family and inside.
  bool Contains(const IpAddress& ip) const;

  std::string ToString() const;

  friend constexpr auto operator<=>(const IpRange&, const IpRange&) = default;
};

// IpSet is a union of ranges. Lookup is linear: sets are short and asked on the cold path only.
class IpSet {
 public:
  IpSet() = default;
  explicit IpSet(std::vector<IpRange> ranges) : ranges_(std::move(ranges)) {}

  void Add(IpRange range) { ranges_.push_back(range); }
  bool Contains(const IpAddress& ip) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<IpRange>& ranges() const { return ranges_; }

  friend bool operator==(const IpSet&, const IpSet&) = default;

 private:
  std::vector<IpRange> ranges_;
};

}  // namespace turnpike
