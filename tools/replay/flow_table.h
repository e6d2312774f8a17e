// Sorts a capture's datagrams into flows: a flow is what two transport addresses exchange, in both
// directions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/time.h"
#include "common/metering/usage.h"
#include "common/net/five_tuple.h"
#include "common/net/ip_set.h"
#include "tools/replay/datagram.h"
#include "tools/replay/rtp.h"
#include "tools/replay/turn_message.h"

namespace turnpike::replay {

// FlowKind says what a flow is taken for.
enum class FlowKind : uint8_t {
  kRtp,
  kRtcp,
  kTurn,     // a client's leg: what is replayed is the application data inside
  kRelayed,  // the other leg of such a client, between server and peer: the same data again
  kOther,
};

// FlowKindName returns `RTP`, `RTCP`, `TURN`, `relayed` or `other`.
std::string_view FlowKindName(FlowKind kind);

// Volume is a number of payloads. Times count from the capture's first packet.
struct Volume {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t padded_bytes = 0;  // each padded to a multiple of four, as framing may want it
  uint32_t largest = 0;
  Duration first{};
  Duration last{};

  void Add(Duration time, uint32_t size);
};

// FlowSide is one direction of a flow.
struct FlowSide {
  Volume volume;  // of what is replayed
  RtpStreams rtp;
};

// Flow is one flow of a capture. Its client is the side that would have the allocation: a TURN
// client, or else whoever sent first.
struct Flow {
  uint32_t number = 0;  // from 1, in the order of first packets
  FlowKind kind = FlowKind::kOther;
  bool taken = false;  // it is replayed
  TransportAddress client;
  TransportAddress peer;                        // the server, where the client's leg is TURN
  std::array<FlowSide, kDirectionCount> sides;  // by Direction

  uint64_t packets() const { return sides[0].volume.packets + sides[1].volume.packets; }
  uint64_t bytes() const { return sides[0].volume.bytes + sides[1].volume.bytes; }
  // first and last are those of both directions.
  Duration first() const;
  Duration last() const;
};

// PairOf returns the key that both directions of a flow have.
FiveTuple PairOf(const TransportAddress& a, const TransportAddress& b);

// PairHash is for maps of pairs.
struct PairHash {
  size_t operator()(const FiveTuple& pair) const;
};

// FlowTable collects flows. A flow takes some hundreds of bytes, however long it is.
class FlowTable {
 public:
  // More flows than this are not media but a name server's or a scan's.
  static constexpr size_t kMostFlows = 100'000;

  // Add counts a datagram; false when it begins one flow too many.
  bool Add(const Datagram& datagram, Duration time);

  // Take ends the collection and says what each flow is. Where exactly one side of a flow is in
  // `clients`, that is the client, unless TURN says otherwise.
  std::vector<Flow> Take(const IpSet& clients);

 private:
  // Side is what one address of a pair sent.
  struct Side {
    Volume datagrams;
    Volume data;  // inside TURN
    uint64_t rtcp_packets = 0;
    uint64_t channel_data = 0;  // datagrams of nothing else
    uint64_t as_client = 0;     // messages that only TURN clients send
    uint64_t as_server = 0;
    RtpStreams rtp;

    uint64_t successions() const;
  };
  struct Pair {
    std::array<TransportAddress, 2> ends;  // whoever sent first stands first
    std::array<Side, 2> sides;             // by sender, as in `ends`
  };

  // AddTurn counts the datagram that `messages_` holds.
  void AddTurn(Side& side, Duration time);
  static void AddMedia(Side& side, ByteSpan payload, uint32_t size, Duration time);
  static bool IsTurn(const Pair& pair);
  FlowKind KindOf(const Pair& pair) const;
  static size_t ClientOf(const Pair& pair, bool is_turn, const IpSet& clients);

  std::vector<Pair> pairs_;
  std::unordered_map<FiveTuple, size_t, PairHash> index_;
  std::set<TransportAddress> relayed_;  // addresses that servers allocated
  std::vector<TurnMessage> messages_;   // of one datagram
};

}  // namespace turnpike::replay
