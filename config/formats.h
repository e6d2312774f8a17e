// How values of each type are written in YAML. A format has `Value`; `Describe()`, which names type
// and range for the reference; `Read(text)`, which fails with a predicate that says what would be
// right (`is not a port; use 1-65535`) and never repeats `text`, which may be a secret; and
// `Print(value)`.
#pragma once

#include <charconv>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "config/config.h"

namespace turnpike::config {

template <typename T>
using ReadResult = std::expected<T, std::string>;

// Quote renders `text` as a YAML scalar: plain where that is safe, else in double quotes.
std::string Quote(std::string_view text);

// ReadWhole reads a decimal number in [min, max]: digits only.
ReadResult<uint32_t> ReadWhole(std::string_view text, uint32_t min, uint32_t max);

// Text is any UTF-8 text without control characters, of kMin to kMax bytes.
ReadResult<std::string> ReadText(std::string_view text, size_t min, size_t max);
std::string DescribeText(size_t min, size_t max);
template <size_t kMin, size_t kMax>
struct Text {
  using Value = std::string;
  static std::string Describe() { return DescribeText(kMin, kMax); }
  static ReadResult<Value> Read(std::string_view text) { return ReadText(text, kMin, kMax); }
  static std::string Print(const Value& value) { return Quote(value); }
};

// Secret is a password or a shared secret.
struct Secret {
  using Value = std::string;
  static std::string Describe() { return "text, 1-4096 bytes"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value&) { return "\"…\""; }
};

// OptionalSecret is a Secret, or empty text for none: what an environment variable that is not set
// leaves.
struct OptionalSecret : Secret {
  static ReadResult<Value> Read(std::string_view text) {
    return text.empty() ? Value() : Secret::Read(text);
  }
  static std::string Print(const Value& value) { return value.empty() ? "\"\"" : "\"…\""; }
};

// SecretHash is the SHA-256 of a secret.
struct SecretHash : Secret {
  static std::string Describe() { return "64 hexadecimal digits (SHA-256)"; }
  static ReadResult<Value> Read(std::string_view text);
};

// Sid is the identifier of an account.
struct Sid {
  using Value = std::string;
  static std::string Describe() { return "AC and 32 hexadecimal digits"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return Quote(value); }
};

// YesNo is true or false.
struct YesNo {
  using Value = bool;
  static std::string Describe() { return "true or false"; }
  static ReadResult<Value> Read(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::unexpected("is not true or false");
  }
  static std::string Print(const Value& value) { return value ? "true" : "false"; }
};

// Path is a file's name.
struct Path {
  using Value = std::string;
  static std::string Describe() { return "path; a relative one starts at this file's directory"; }
  static ReadResult<Value> Read(std::string_view text) { return ReadText(text, 0, 4095); }
  static std::string Print(const Value& value) { return Quote(value); }
};

// Whole is a whole number, kMin to kMax.
template <uint32_t kMin, uint32_t kMax>
struct Whole {
  using Value = uint32_t;
  static std::string Describe() {
    return "whole number, " + std::to_string(kMin) + "-" + std::to_string(kMax);
  }
  static ReadResult<Value> Read(std::string_view text) { return ReadWhole(text, kMin, kMax); }
  static std::string Print(const Value& value) { return std::to_string(value); }
};

// Workers is `auto`, kept as 0, or a number of threads.
struct Workers {
  using Value = uint32_t;
  static std::string Describe() { return "auto, or a whole number, 1-256"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) {
    return value == 0 ? "auto" : std::to_string(value);
  }
};

// Port is a transport port that something listens on.
struct Port {
  using Value = uint16_t;
  static std::string Describe() { return "port, 1-65535"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return std::to_string(value); }
};

// PortOrOff is a port, or 0 for nothing that listens.
struct PortOrOff {
  using Value = uint16_t;
  static std::string Describe() { return "port, 1-65535, or 0: off"; }
  static ReadResult<Value> Read(std::string_view text) {
    return text == "0" ? ReadResult<Value>(0) : Port::Read(text);
  }
  static std::string Print(const Value& value) { return std::to_string(value); }
};

// HostName is the name of a host (RFC 1123 §2.1): labels of letters, digits and hyphens.
struct HostName {
  using Value = std::string;
  static std::string Describe() { return "host name, such as turn.example.com"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return Quote(value); }
};

// DnsLabel is one label of a host name.
struct DnsLabel {
  using Value = std::string;
  static std::string Describe() { return "letters, digits and hyphens, 1-63"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return Quote(value); }
};

// Ports is a closed range of ports, `10000-60000`.
struct Ports {
  using Value = PortRange;
  static std::string Describe() { return "range of ports FIRST-LAST, within 1-65535"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value);
};

// Address is an IP address.
struct Address {
  using Value = IpAddress;
  static std::string Describe() { return "IPv4 or IPv6 address"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return Quote(value.ToString()); }
};

// Range is a CIDR range of IP addresses.
struct Range {
  using Value = IpRange;
  static std::string Describe() { return "range of addresses, 192.0.2.0/24 or 2001:db8::/32"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return Quote(value.ToString()); }
};

// Span is a duration with a unit, kMinMs to kMaxMs.
ReadResult<Duration> ReadSpan(std::string_view text, Duration min, Duration max);
template <int64_t kMinMs, int64_t kMaxMs>
struct Span {
  using Value = Duration;
  static constexpr Duration kMin = std::chrono::milliseconds(kMinMs);
  static constexpr Duration kMax = std::chrono::milliseconds(kMaxMs);
  static std::string Describe() {
    return "duration (ms, s, m, h), " + FormatDuration(kMin) + " to " + FormatDuration(kMax);
  }
  static ReadResult<Value> Read(std::string_view text) { return ReadSpan(text, kMin, kMax); }
  static std::string Print(const Value& value) { return FormatDuration(value); }
};

// Bytes is an amount of data, of at least one byte.
struct Bytes {
  using Value = uint64_t;
  static std::string Describe() { return "amount of data (B, kB, MB, GB, TB; powers of 1000)"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return std::to_string(value) + " B"; }
};

// Bandwidth is a number of bits a second, in powers of 1000; 0 for no limit is written `none`.
struct Bandwidth {
  using Value = uint64_t;
  static std::string Describe();
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value);
};

// Money is an amount in the currency of the file of rates.
struct Money {
  using Value = Amount;
  static std::string Describe() { return "amount of money, in the currency of metering.rates"; }
  static ReadResult<Value> Read(std::string_view text);
  static std::string Print(const Value& value) { return FormatAmount(value); }
};

// Maybe is a value that may be missing.
template <typename Format>
struct Maybe {
  using Value = std::optional<typename Format::Value>;
  static std::string Describe() { return Format::Describe(); }
  static ReadResult<Value> Read(std::string_view text) { return Format::Read(text); }
  static std::string Print(const Value& value) { return value ? Format::Print(*value) : "none"; }
};

// Word is one of a few words; `T` needs a specialisation of Words.
template <typename T>
struct NamedValue {
  std::string_view name;
  T value;
};
template <typename T>
std::span<const NamedValue<T>> Words();
template <>
std::span<const NamedValue<Transport>> Words();
template <>
std::span<const NamedValue<TlsVersion>> Words();
template <>
std::span<const NamedValue<Redirect>> Words();
template <>
std::span<const NamedValue<UdpPathWord>> Words();
template <>
std::span<const NamedValue<EdgeChoice>> Words();
template <>
std::span<const NamedValue<CapPeriod>> Words();
template <>
std::span<const NamedValue<CapAction>> Words();
template <>
std::span<const NamedValue<LogLevel>> Words();
template <>
std::span<const NamedValue<LogFormat>> Words();

template <typename T>
struct Word {
  using Value = T;
  static std::string Names() {
    std::string names;
    for (const auto& word : Words<T>())
      names += (names.empty() ? "" : ", ") + std::string(word.name);
    return names;
  }
  static std::string Describe() { return "one of " + Names(); }
  static ReadResult<Value> Read(std::string_view text) {
    for (const auto& word : Words<T>()) {
      if (word.name == text) return word.value;
    }
    return std::unexpected("is not one of " + Names());
  }
  static std::string Print(const Value& value) {
    for (const auto& word : Words<T>()) {
      if (word.value == value) return std::string(word.name);
    }
    return {};  // not reached: every enumerator has a word
  }
};

}  // namespace turnpike::config
