#include "common/net/transport_address.h"

#include <arpa/inet.h>  // inet_pton and inet_ntop only: pure functions

#include <algorithm>
#include <charconv>

#include "common/base/check.h"

namespace turnpike {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

// ParsePort reads 0..65535 in at most five digits: no sign, no spaces.
std::optional<uint16_t> ParsePort(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

IpAddress IpAddress::V4(std::span<const uint8_t, 4> bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::V6(std::span<const uint8_t, 16> bytes) {
  IpAddress address;
  address.family_ = AddressFamily::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  // inet_pton wants a C string: a NUL inside would cut the text short and hide the rest.
  std::array<char, INET6_ADDRSTRLEN> c_string{};
  if (text.size() >= c_string.size() || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), c_string.begin());
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, c_string.data(), bytes.data()) == 1) {
    return V4(std::span(bytes).first<4>());
  }
  if (inet_pton(AF_INET6, c_string.data(), bytes.data()) == 1) return V6(bytes);
  return std::nullopt;
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(bytes_, [](uint8_t byte) { return byte == 0; });
}

IpAddress IpAddress::Unmapped() const {
  if (is_v4() || !std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes_.begin())) {
    return *this;
  }
  return V4(std::span(bytes_).last<4>());
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* result =
      inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  TP_CHECK(result != nullptr);  // the buffer holds the longest address there is
  return result;
}

std::optional<TransportAddress> TransportAddress::Parse(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (bracketed) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  }
  const auto ip = IpAddress::Parse(host);
  const auto port = ParsePort(text.substr(colon + 1));
  if (!ip || !port || ip->is_v4() == bracketed) return std::nullopt;
  return TransportAddress{*ip, *port};
}

std::string TransportAddress::ToString() const {
  const std::string host = ip.ToString();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace turnpike
