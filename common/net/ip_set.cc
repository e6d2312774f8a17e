#include "common/net/ip_set.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace turnpike {
namespace {

// PrefixMask returns the bits of byte `index` that a prefix of `prefix_bits` fixes.
uint8_t PrefixMask(size_t prefix_bits, size_t index) {
  const size_t before = index * 8;
  if (prefix_bits >= before + 8) return 0xFF;
  if (prefix_bits <= before) return 0;
  return static_cast<uint8_t>(0xFF << (8 - (prefix_bits - before)));
}

std::optional<uint8_t> ParsePrefixBits(std::string_view text, size_t max) {
  if (text.empty() || text.size() > 3) return std::nullopt;
  uint8_t bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  if (error != std::errc() || end != text.data() + text.size() || bits > max) return std::nullopt;
  return bits;
}

// NetworkOf returns `ip` with its host part cleared.
IpAddress NetworkOf(const IpAddress& ip, uint8_t prefix_bits) {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < ip.bytes().size(); ++i) {
    bytes[i] = ip.bytes()[i] & PrefixMask(prefix_bits, i);
  }
  return ip.is_v4() ? IpAddress::V4(std::span(bytes).first<4>()) : IpAddress::V6(bytes);
}

}  // namespace

std::expected<IpRange, std::string> IpRange::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto ip = IpAddress::Parse(text.substr(0, slash));
  if (!ip) {
    return std::unexpected("expected ADDRESS or ADDRESS/BITS, for example 10.0.0.0/8 or fc00::/7");
  }
  const size_t max_bits = ip->bytes().size() * 8;
  if (slash == std::string_view::npos) return IpRange{*ip, static_cast<uint8_t>(max_bits)};
  const auto bits = ParsePrefixBits(text.substr(slash + 1), max_bits);
  if (!bits) {
    return std::unexpected("the number of bits after the slash must be 0 to " +
                           std::to_string(max_bits));
  }
  const IpRange range{NetworkOf(*ip, *bits), *bits};
  if (range.base != *ip) {
    return std::unexpected("the address has bits set behind the prefix; did you mean " +
                           range.ToString() + "?");
  }
  return range;
}

bool IpRange::Contains(const IpAddress& ip) const {
  if (ip.family() != base.family()) return false;
  for (size_t i = 0; i * 8 < prefix_bits; ++i) {
    if (((ip.bytes()[i] ^ base.bytes()[i]) & PrefixMask(prefix_bits, i)) != 0) return false;
  }
  return true;
}

std::string IpRange::ToString() const {
  return base.ToString() + "/" + std::to_string(prefix_bits);
}

bool IpSet::Contains(const IpAddress& ip) const {
  return std::ranges::any_of(ranges_, [&](const IpRange& range) { return range.Contains(ip); });
}

}  // namespace turnpike
