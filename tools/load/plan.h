// What a run does: all that the engine needs to know, checked already.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/usage.h"
#include "common/net/five_tuple.h"
#include "tools/load/pattern.h"

namespace turnpike::load {

// Mode is how a client wraps its data.
enum class Mode : uint8_t { kChannel, kSend };

// Flow says who sends: clients, peers, both on their own, or clients and their peers send it back.
enum class Traffic : uint8_t { kUp, kDown, kDuplex, kEcho };

// TransportMix is the weight of each transport among the sessions, indexed by Transport.
using TransportMix = std::array<uint32_t, kTransportCount>;

// The next functions read what the options of the same name hold. They fail with a sentence.
std::expected<Mode, std::string> ParseMode(std::string_view name);
std::expected<Traffic, std::string> ParseTraffic(std::string_view name);
// ParseTransportMix reads `udp`, or `udp=8,tcp=1,tls=1`.
std::expected<TransportMix, std::string> ParseTransportMix(std::string_view text);

// HostPort is a server as it is typed; the port is nullopt when none was.
struct HostPort {
  std::string host;
  std::optional<uint16_t> port;
};
// ParseHostPort reads `turn.example`, `turn.example:3478`, `192.0.2.1:3478` or
// `[2001:db8::1]:3478`.
std::expected<HostPort, std::string> ParseHostPort(std::string_view text);

// SessionTraffic is what one kind of session sends in each direction, indexed by Direction. A
// pattern without slots sends nothing.
using SessionTraffic = std::array<Pattern, kDirectionCount>;

// Plan is one run.
struct Plan {
  std::string host;  // as typed, for messages and TLS
  std::array<TransportAddress, kTransportCount> servers;
  std::string username;
  std::string password;
  IpAddress peer_ip;  // where the sessions' peers are

  uint32_t sessions = 1;
  uint32_t threads = 1;
  TransportMix mix{1, 0, 0, 0};
  Mode mode = Mode::kChannel;
  bool echo = false;                    // peers send back what they get
  std::vector<SessionTraffic> traffic;  // session n has number n modulo the size; at least one
  bool spread = true;  // sessions begin spread over a round; else each round of `traffic` at once
  Duration stagger{};  // without `spread`: what lies between two such rounds of sessions
  bool keep_gaps = false;  // measure how well the gaps between a flow's packets are kept
  uint64_t rounds = 0;     // of each pattern; 0: until the end
  Duration tick{};         // of Schedule
  uint32_t train = 64;     // packets of a flow that leave in one GSO send, at most
  Duration ramp{};      // over which sessions are opened; 0: all are open before the first packet
  Duration duration{};  // from the end of the ramp to the last packet
  Duration settle{};    // how long to wait for what is under way after the last packet
  Duration patience{};  // how long a session may take to be ready
  double churn = 0;     // sessions per second that are closed and replaced
  std::optional<std::chrono::seconds> lifetime;  // to ask for; nullopt: the server's

  uint32_t run = 0;  // tells this run's packets from those of others

  // TransportOf returns the transport of session `number`.
  Transport TransportOf(uint32_t number) const;
  const SessionTraffic& TrafficOf(uint32_t number) const {
    return traffic[number % traffic.size()];
  }
};

}  // namespace turnpike::load
