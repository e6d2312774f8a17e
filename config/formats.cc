#include "config/formats.h"

#include <algorithm>
#include <array>

namespace turnpike::config {
namespace {

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./").contains(c);
}

// ReadPort reads 1-65535.
std::optional<uint16_t> ReadPort(std::string_view text) {
  const auto port = ReadWhole(text, 1, 65535);
  if (!port) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

}  // namespace

std::string Quote(std::string_view text) {
  if (!text.empty() && text.front() != '-' && std::ranges::all_of(text, IsPlain)) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

ReadResult<uint32_t> ReadWhole(std::string_view text, uint32_t min, uint32_t max) {
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || stop != end) {
    return std::unexpected("is not a whole number; use " + std::to_string(min) + "-" +
                           std::to_string(max));
  }
  if (error != std::errc() || value < min || value > max) {
    return std::unexpected("is out of range; use " + std::to_string(min) + "-" +
                           std::to_string(max));
  }
  return value;
}

ReadResult<std::string> ReadText(std::string_view text, size_t min, size_t max) {
  if (text.size() < min) return std::unexpected("is empty; write something");
  if (text.size() > max) {
    return std::unexpected("is " + std::to_string(text.size()) + " bytes long; use at most " +
                           std::to_string(max));
  }
  if (std::ranges::any_of(text, IsControl)) {
    return std::unexpected("holds a control character; use printable text on one line");
  }
  return std::string(text);
}

std::string DescribeText(size_t min, size_t max) {
  return "text, " + (min == 0 ? "at most " : std::to_string(min) + "-") + std::to_string(max) +
         " bytes";
}

ReadResult<std::string> Secret::Read(std::string_view text) {
  if (text.empty()) return std::unexpected("is empty; anybody could guess it");
  return ReadText(text, 1, 4096);
}

ReadResult<uint32_t> Workers::Read(std::string_view text) {
  if (text == "auto") return 0;
  if (const auto count = ReadWhole(text, 1, 256)) return *count;
  return std::unexpected("is not a number of workers; use auto or 1-256");
}

ReadResult<uint16_t> Port::Read(std::string_view text) {
  if (const auto port = ReadPort(text)) return *port;
  return std::unexpected("is not a port; use 1-65535");
}

namespace {

bool IsHex(std::string_view text, size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  return text.size() == digits && text.find_first_not_of(kDigits) == std::string_view::npos;
}

}  // namespace

ReadResult<std::string> SecretHash::Read(std::string_view text) {
  if (!IsHex(text, 64)) return std::unexpected("is not 64 hexadecimal digits (SHA-256)");
  std::string hash(text);
  std::ranges::transform(hash, hash.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  });
  return hash;
}

ReadResult<std::string> Sid::Read(std::string_view text) {
  if (!text.starts_with("AC") || !IsHex(text.substr(2), 32)) {
    return std::unexpected("is not AC and 32 hexadecimal digits");
  }
  return std::string(text);
}

ReadResult<std::string> DnsLabel::Read(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (text.empty() || text.size() > 63 || text.starts_with('-') || text.ends_with('-') ||
      !std::ranges::all_of(text, fits)) {
    return std::unexpected("is not a name of letters, digits and inner hyphens, 1-63");
  }
  return std::string(text);
}

ReadResult<std::string> HostName::Read(std::string_view text) {
  for (std::string_view rest = text;;) {
    const size_t dot = rest.find('.');
    if (text.size() > 253 || !DnsLabel::Read(rest.substr(0, dot))) {
      return std::unexpected("is not a host name, such as turn.example.com");
    }
    if (dot == std::string_view::npos) return std::string(text);
    rest.remove_prefix(dot + 1);
  }
}

ReadResult<PortRange> Ports::Read(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = ReadPort(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : ReadPort(text.substr(dash + 1));
  if (!first || !last || dash == std::string_view::npos) {
    return std::unexpected("is not a range of ports; use FIRST-LAST, for example 10000-60000");
  }
  if (*first > *last) {
    return std::unexpected("is the wrong way round; did you mean " + std::to_string(*last) + "-" +
                           std::to_string(*first) + "?");
  }
  return PortRange{*first, *last};
}

std::string Ports::Print(const PortRange& value) {
  return std::to_string(value.first) + "-" + std::to_string(value.last);
}

ReadResult<IpAddress> Address::Read(std::string_view text) {
  if (const auto address = IpAddress::Parse(text)) return *address;
  return std::unexpected("is not an IP address; use one such as 192.0.2.7 or 2001:db8::7");
}

ReadResult<IpRange> Range::Read(std::string_view text) {
  auto range = IpRange::Parse(text);
  if (range) return range;
  return std::unexpected("is not a range of addresses: " + range.error());
}

ReadResult<Duration> ReadSpan(std::string_view text, Duration min, Duration max) {
  const auto duration = ParseDuration(text);
  if (!duration) return std::unexpected("is not a duration: " + duration.error());
  if (*duration < min || *duration > max) {
    return std::unexpected("is out of range; use " + FormatDuration(min) + " to " +
                           FormatDuration(max));
  }
  return *duration;
}

ReadResult<uint64_t> Bytes::Read(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, int>, 5> kUnits = {
      {{"TB", 12}, {"GB", 9}, {"MB", 6}, {"kB", 3}, {"B", 0}}};
  for (const auto& [unit, digits] : kUnits) {
    if (!text.ends_with(unit)) continue;
    std::string_view number = text.substr(0, text.size() - unit.size());
    while (number.ends_with(' ')) number.remove_suffix(1);
    const auto bytes = ParseDecimal(number, digits);
    if (bytes && *bytes > 0 && *bytes <= INT64_MAX) return static_cast<uint64_t>(*bytes);
    break;
  }
  return std::unexpected("is not an amount of data; write it like 500 GB, 1.5 TB or 1000 B");
}

namespace {

constexpr std::array<std::pair<std::string_view, int>, 3> kBandwidthUnits = {
    {{"Gbit/s", 9}, {"Mbit/s", 6}, {"kbit/s", 3}}};
// Below it one datagram would take longer than a client waits; above it token buckets overflow.
constexpr uint64_t kLeastBandwidth = 64'000;
constexpr uint64_t kMostBandwidth = 32'000'000'000;

}  // namespace

std::string Bandwidth::Describe() {
  return "none, or a bandwidth (kbit/s, Mbit/s, Gbit/s), " + Print(kLeastBandwidth) + " to " +
         Print(kMostBandwidth);
}

ReadResult<uint64_t> Bandwidth::Read(std::string_view text) {
  if (text == "none") return 0;
  for (const auto& [unit, digits] : kBandwidthUnits) {
    if (!text.ends_with(unit)) continue;
    std::string_view number = text.substr(0, text.size() - unit.size());
    while (number.ends_with(' ')) number.remove_suffix(1);
    const auto bits = ParseDecimal(number, digits);
    if (!bits || *bits <= 0) break;
    if (*bits < kLeastBandwidth || *bits > kMostBandwidth) {
      return std::unexpected("is out of range; use " + Print(kLeastBandwidth) + " to " +
                             Print(kMostBandwidth) + ", or none");
    }
    return static_cast<uint64_t>(*bits);
  }
  return std::unexpected("is not a bandwidth; write it like 2.5 Mbit/s or 500 kbit/s, or none");
}

std::string Bandwidth::Print(const uint64_t& value) {
  if (value == 0) return "none";
  const auto& [unit, digits] = kBandwidthUnits[value >= 1'000'000'000 ? 0
                                               : value >= 1'000'000   ? 1
                                                                      : 2];
  return FormatDecimal(static_cast<Int128>(value), digits) + " " + std::string(unit);
}

ReadResult<Amount> Money::Read(std::string_view text) {
  const auto amount = ParseDecimal(text, kAmountDecimals);
  if (amount && *amount > 0) return Amount(*amount);
  return std::unexpected("is not an amount of money above 0; write it like 250.00");
}

template <>
std::span<const NamedValue<Transport>> Words() {
  static constexpr std::array<NamedValue<Transport>, 4> kWords = {{{"udp", Transport::kUdp},
                                                                   {"tcp", Transport::kTcp},
                                                                   {"tls", Transport::kTls},
                                                                   {"dtls", Transport::kDtls}}};
  return kWords;
}

template <>
std::span<const NamedValue<TlsVersion>> Words() {
  static constexpr std::array<NamedValue<TlsVersion>, 2> kWords = {
      {{"1.2", TlsVersion::k12}, {"1.3", TlsVersion::k13}}};
  return kWords;
}

template <>
std::span<const NamedValue<Redirect>> Words() {
  static constexpr std::array<NamedValue<Redirect>, 2> kWords = {
      {{"draining", Redirect::kDraining}, {"always", Redirect::kAlways}}};
  return kWords;
}

template <>
std::span<const NamedValue<UdpPathWord>> Words() {
  static constexpr std::array<NamedValue<UdpPathWord>, 4> kWords = {
      {{"auto", UdpPathWord::kAuto},
       {"offload", UdpPathWord::kOffload},
       {"batch", UdpPathWord::kBatch},
       {"plain", UdpPathWord::kPlain}}};
  return kWords;
}

template <>
std::span<const NamedValue<EdgeChoice>> Words() {
  static constexpr std::array<NamedValue<EdgeChoice>, 2> kWords = {
      {{"nearest", EdgeChoice::kNearest}, {"all", EdgeChoice::kAll}}};
  return kWords;
}

template <>
std::span<const NamedValue<CapPeriod>> Words() {
  static constexpr std::array<NamedValue<CapPeriod>, 2> kWords = {
      {{"day", CapPeriod::kDay}, {"month", CapPeriod::kMonth}}};
  return kWords;
}

template <>
std::span<const NamedValue<CapAction>> Words() {
  static constexpr std::array<NamedValue<CapAction>, 3> kWords = {
      {{"warn", CapAction::kWarn}, {"refuse", CapAction::kRefuse}, {"end", CapAction::kEnd}}};
  return kWords;
}

template <>
std::span<const NamedValue<LogLevel>> Words() {
  static constexpr std::array<NamedValue<LogLevel>, 4> kWords = {{{"debug", LogLevel::kDebug},
                                                                  {"info", LogLevel::kInfo},
                                                                  {"warning", LogLevel::kWarning},
                                                                  {"error", LogLevel::kError}}};
  return kWords;
}

template <>
std::span<const NamedValue<LogFormat>> Words() {
  static constexpr std::array<NamedValue<LogFormat>, 2> kWords = {
      {{"json", LogFormat::kJson}, {"text", LogFormat::kText}}};
  return kWords;
}

}  // namespace turnpike::config
