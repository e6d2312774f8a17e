#include "tools/load/plan.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "common/base/check.h"

namespace turnpike::load {
namespace {

std::optional<uint32_t> ReadNumber(std::string_view text, uint32_t largest) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > largest) {
    return std::nullopt;
  }
  return number;
}

std::optional<Transport> ReadTransport(std::string_view name) {
  for (int i = 0; i < kTransportCount; ++i) {
    if (TransportName(static_cast<Transport>(i)) == name) return static_cast<Transport>(i);
  }
  return std::nullopt;
}

}  // namespace

std::expected<Mode, std::string> ParseMode(std::string_view name) {
  if (name == "channel") return Mode::kChannel;
  if (name == "send") return Mode::kSend;
  return std::unexpected("`" + std::string(name) + "` is no mode: use channel or send");
}

std::expected<Traffic, std::string> ParseTraffic(std::string_view name) {
  if (name == "up") return Traffic::kUp;
  if (name == "down") return Traffic::kDown;
  if (name == "duplex") return Traffic::kDuplex;
  if (name == "echo") return Traffic::kEcho;
  return std::unexpected("`" + std::string(name) +
                         "` is no direction: use up, down, duplex or echo");
}

std::expected<TransportMix, std::string> ParseTransportMix(std::string_view text) {
  constexpr uint32_t kLargestWeight = 1'000'000;
  TransportMix mix{};
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    // Not part.find: g++ 12 believes it can run past the end, in optimised builds.
    const auto equals = static_cast<size_t>(std::ranges::find(part, '=') - part.begin());
    const std::string_view name = part.substr(0, equals);
    const auto transport = ReadTransport(name);
    if (!transport) {
      return std::unexpected(
          "`" + std::string(name) +
          "` is no transport: use udp, tcp, tls or dtls, or weights: udp=8,tls=2");
    }
    const auto weight =
        equals == part.size() ? 1 : ReadNumber(part.substr(equals + 1), kLargestWeight);
    if (!weight) {
      return std::unexpected("`" + std::string(part) +
                             "`: a weight is a whole number from 0 to 1000000");
    }
    mix[static_cast<size_t>(*transport)] += *weight;
  }
  if (std::accumulate(mix.begin(), mix.end(), uint64_t{0}) == 0) {
    return std::unexpected("no transport has a weight: use for example udp=8,tls=2");
  }
  return mix;
}

std::expected<HostPort, std::string> ParseHostPort(std::string_view text) {
  if (text.empty()) return std::unexpected("the server has no name: use turn.example:3478");
  if (IpAddress::Parse(text)) return HostPort{std::string(text), std::nullopt};
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return std::unexpected("`[` without `]`");
    host = text.substr(1, close - 1);
    if (close + 1 < text.size()) port = text.substr(close + 1);
    if (port && !port->starts_with(':')) return std::unexpected("write [address]:port");
    if (port) port->remove_prefix(1);
  } else if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  if (host.empty() || host.find_first_of("/?@ ") != std::string_view::npos) {
    return std::unexpected("`" + std::string(text) +
                           "` is no server: give a name or an address and a port, without turn:");
  }
  if (!port) return HostPort{std::string(host), std::nullopt};
  const auto number = ReadNumber(*port, UINT16_MAX);
  if (!number || *number == 0) {
    return std::unexpected("`" + std::string(*port) + "` is no port: use 1 to 65535");
  }
  return HostPort{std::string(host), static_cast<uint16_t>(*number)};
}

Transport Plan::TransportOf(uint32_t number) const {
  uint64_t sum = 0;
  for (const uint32_t weight : mix) sum += weight;
  TP_CHECK(sum > 0);
  uint64_t place = number % sum;
  for (size_t i = 0; i < mix.size(); ++i) {
    if (place < mix[i]) return static_cast<Transport>(i);
    place -= mix[i];
  }
  return Transport::kUdp;
}

}  // namespace turnpike::load
