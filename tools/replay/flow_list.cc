#include "tools/replay/flow_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace turnpike::replay {
namespace {

using Json = nlohmann::ordered_json;

// What an Ethernet frame can carry at most, also a jumbo frame: larger datagrams would have come
// in fragments.
constexpr uint32_t kLargestUncut = 9000;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// What a direction carries: `Opus? (111, 48 kHz) 3f2a9c01`.
std::string StreamWords(const RtpStream& stream) {
  const auto rate = stream.clock_rate();
  return fmt::format("{} ({}{}) {:08x}", stream.codec(), stream.payload_type(),
                     rate ? fmt::format(", {} kHz", *rate / 1000) : "", stream.ssrc());
}

std::string SideWords(const FlowSide& side) {
  constexpr size_t kShown = 3;
  std::string words;
  size_t shown = 0;
  for (const RtpStream& stream : side.rtp.streams()) {
    if (stream.successions() == 0) continue;
    if (++shown > kShown) return words + ", ...";
    words += (words.empty() ? "" : ", ") + StreamWords(stream);
  }
  return words;
}

uint64_t Repeats(const Scan& scan) {
  uint64_t sum = 0;
  for (const Flow& flow : scan.flows) {
    if (!flow.taken) continue;
    for (const FlowSide& side : flow.sides) {
      for (const RtpStream& stream : side.rtp.streams()) sum += stream.repeats();
    }
  }
  return sum;
}

uint64_t UncutFlows(const Scan& scan) {
  return static_cast<uint64_t>(std::ranges::count_if(scan.flows, [](const Flow& flow) {
    return flow.taken &&
           std::max(flow.sides[0].volume.largest, flow.sides[1].volume.largest) > kLargestUncut;
  }));
}

Json OfSide(const FlowSide& side) {
  Json streams = Json::array();
  for (const RtpStream& stream : side.rtp.streams()) {
    if (stream.successions() == 0) continue;
    const auto rate = stream.clock_rate();
    streams.push_back({{"ssrc", fmt::format("{:08x}", stream.ssrc())},
                       {"payload_type", stream.payload_type()},
                       {"codec", stream.codec()},
                       {"clock_rate", rate ? Json(*rate) : Json(nullptr)},
                       {"packets", stream.packets()}});
  }
  return {{"packets", side.volume.packets},    {"bytes", side.volume.bytes},
          {"largest", side.volume.largest},    {"first", Seconds(side.volume.first)},
          {"last", Seconds(side.volume.last)}, {"streams", streams}};
}

// Widths are those of the columns with addresses.
struct Widths {
  size_t client = 6;
  size_t peer = 4;
};

// WriteSide writes a line; the first of a flow names it.
void WriteSide(const Flow& flow, size_t direction, bool is_first, const Widths& widths,
               std::ostream& out) {
  const FlowSide& side = flow.sides[direction];
  const Volume& volume = side.volume;
  const std::string words = SideWords(side);
  out << fmt::format(
      "{:>4} {:1} {:<7} {:<{}} {} {:<{}} {:>9} {:>12} {:>10.3f} {:>10.3f}{}{}\n",
      is_first ? std::to_string(flow.number) : "", is_first && !flow.taken ? "-" : "",
      is_first ? FlowKindName(flow.kind) : "", flow.client.ToString(), widths.client,
      direction == 0 ? "->" : "<-", flow.peer.ToString(), widths.peer, volume.packets, volume.bytes,
      Seconds(volume.first), Seconds(volume.last - volume.first), words.empty() ? "" : "  ", words);
}

// WriteFlow writes the directions that have packets; a leg without data has one line all the same.
void WriteFlow(const Flow& flow, const Widths& widths, std::ostream& out) {
  bool is_first = true;
  for (size_t i = 0; i < flow.sides.size(); ++i) {
    if (flow.sides[i].volume.packets == 0 && (i > 0 || flow.packets() > 0)) continue;
    WriteSide(flow, i, is_first, widths, out);
    is_first = false;
  }
}

}  // namespace

void WriteNotes(const Scan& scan, std::ostream& out) {
  const uint64_t fragments = scan.skipped[static_cast<size_t>(Skip::kFragment)];
  if (fragments > 0) {
    out << "note: " << fragments
        << " IP fragments are left out, and with them the datagrams that they are parts of\n";
  }
  if (const uint64_t uncut = UncutFlows(scan); uncut > 0) {
    out << "note: " << uncut << " flows have datagrams of more than " << kLargestUncut
        << " bytes: captured before the kernel cut them (GSO), they are replayed as large as they "
           "are here; ethtool -K DEVICE tx-udp-segmentation off\n";
  }
  if (const uint64_t repeats = Repeats(scan); repeats > 0) {
    out << "note: " << repeats
        << " RTP packets are there twice in a row and are replayed twice, as captures of several "
           "interfaces have them: capture one\n";
  }
  if (scan.clock_steps > 0) {
    out << "note: the capture's clock went back " << scan.clock_steps << " times\n";
  }
  if (scan.truncated) out << "note: the capture is cut off; what is whole is taken\n";
}

void WriteFlowTable(const Scan& scan, const std::string& name, std::ostream& out) {
  out << fmt::format("{}: {}, {} packets, {} UDP flows, {} to replay\n\n", name,
                     LinkTypeName(scan.link_type), scan.packets, scan.flows.size(),
                     scan.taken_flows());
  Widths widths;
  for (const Flow& flow : scan.flows) {
    widths.client = std::max(widths.client, flow.client.ToString().size());
    widths.peer = std::max(widths.peer, flow.peer.ToString().size());
  }
  out << fmt::format("{:>4}   {:<7} {:<{}}    {:<{}} {:>9} {:>12} {:>10} {:>10}  {}\n", "flow",
                     "kind", "client", widths.client, "peer", widths.peer, "packets", "bytes",
                     "begins s", "lasts s", "codec (type, clock) SSRC");
  for (const Flow& flow : scan.flows) WriteFlow(flow, widths, out);
  out << fmt::format("\nto replay: {} packets, {} bytes of payload, {:.3f} s\n",
                     scan.taken_packets(), scan.taken_bytes(),
                     Seconds(scan.taken_last() - scan.taken_first()));
  if (scan.taken_flows() < scan.flows.size()) {
    out << "- is not replayed: relayed is the other side of a TURN leg, other neither RTP nor "
           "TURN (--all-udp); --flow N takes any\n";
  }
  if (const std::string words = scan.skipped_words(); !words.empty()) {
    out << "packets that are left out: " << words << "\n";
  }
  WriteNotes(scan, out);
}

void WriteFlowJson(const Scan& scan, const std::string& name, std::ostream& out) {
  Json flows = Json::array();
  for (const Flow& flow : scan.flows) {
    flows.push_back({{"flow", flow.number},
                     {"kind", FlowKindName(flow.kind)},
                     {"replayed", flow.taken},
                     {"client", flow.client.ToString()},
                     {"peer", flow.peer.ToString()},
                     {"client_to_peer", OfSide(flow.sides[0])},
                     {"peer_to_client", OfSide(flow.sides[1])}});
  }
  Json skipped = Json::object();
  for (int i = 0; i < kSkipCount; ++i) {
    const uint64_t count = scan.skipped[static_cast<size_t>(i)];
    if (count > 0) skipped[std::string(SkipName(static_cast<Skip>(i)))] = count;
  }
  const Json json = {{"capture", name},
                     {"link", LinkTypeName(scan.link_type)},
                     {"packets", scan.packets},
                     {"truncated", scan.truncated},
                     {"replayed_packets", scan.taken_packets()},
                     {"replayed_bytes", scan.taken_bytes()},
                     {"seconds", Seconds(scan.taken_last() - scan.taken_first())},
                     {"flows", flows},
                     {"skipped", skipped}};
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace turnpike::replay
