#include "tools/turnpike/replay_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace turnpike {
namespace {

void AddCaptureOptions(CLI::App& command, ReplayOptions& options) {
  command
      .add_option("CAPTURE", options.capture,
                  "A pcap or pcapng file; payloads are not read, so one that was cut to headers "
                  "(tcpdump -s 128) does")
      ->type_name("")
      ->required();
  command.add_flag("--dry-run", options.dry_run,
                   "List the capture's flows and what is replayed of them, and send nothing");
  command
      .add_option("--flow", options.flows,
                  "Replay these flows alone, by their numbers in the list: 1,3")
      ->delimiter(',')
      ->type_name("N");
  command.add_flag("--all-udp", options.all_udp,
                   "Replay also flows that are neither RTP, RTCP nor TURN");
  command
      .add_option("--client", options.clients,
                  "Addresses that are clients: 10.0.0.0/8; default: whoever sends first in a flow. "
                  "May be repeated")
      ->type_name("CIDR");
  command.add_option("--first", options.first, "Read only so much of the capture: 60s")
      ->type_name("TIME");
  command.add_flag("--allow-truncated", options.allow_truncated,
                   "Take a capture that is cut off as far as it goes");
}

}  // namespace

void AddReplayOptions(CLI::App& command, ReplayOptions& options) {
  AddCaptureOptions(command, options);
  command.add_option("--speed", options.speed, "How many times as fast as captured: 0.5, 2")
      ->check(CLI::Range(0.001, 1000.0))
      ->type_name("FACTOR")
      ->capture_default_str();
  command.add_option("--loop", options.loop, "How often in a row; 0: until ^C or --duration")
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--sessions", options.sessions,
                  "How often side by side: so many copies of each flow, each with an allocation "
                  "of its own")
      ->check(CLI::Range(1u, kMostSessions))
      ->capture_default_str();
  command
      .add_option("--stagger", options.stagger,
                  "The copies begin one after the other, over this time; 0: at once")
      ->capture_default_str();
  command.add_option("--duration", options.duration, "Stop after this time, wherever it is")
      ->type_name("TIME");
  command.add_flag("--predict", options.predict,
                   "Print the bill that the replay will cause under --rates, and send nothing");
  command
      .add_option("--rates", options.rates,
                  "Rate cards, as of `turnpike usage invoice`; in a run with --assert-billing the "
                  "forecast must be what the ledger's bytes cost in the end")
      ->type_name("FILE");
  command.add_option("--region", options.region, "The server's region, for the forecast");
  AddServerOptions(command, options.server);
  AddRunOptions(command, options.run);
}

std::expected<void, std::string> CheckReplayOptions(const ReplayOptions& options) {
  if (options.dry_run && options.predict) {
    return std::unexpected("--dry-run lists flows and --predict prints a bill: give one of them");
  }
  if (options.predict && options.rates.empty()) {
    return Bad("--predict", "needs --rates, the prices");
  }
  if (!options.rates.empty() && (options.loop == 0 || !options.duration.empty())) {
    return Bad("--rates", "foretells only what ends by itself: without --loop 0 and --duration");
  }
  if (options.dry_run || options.predict) return {};
  if (options.server.server.empty()) {
    return std::unexpected(
        "where to? give --server; --dry-run lists the capture's flows without one");
  }
  if (!options.rates.empty() && !options.run.assert_billing) {
    return Bad("--rates", "compares bills with --assert-billing, or foretells with --predict");
  }
  return {};
}

std::expected<void, std::string> CheckSessions(const ReplayOptions& options,
                                               const replay::Scan& scan) {
  if (scan.taken_flows() * options.sessions <= kMostSessions) return {};
  return Bad("--sessions", std::to_string(scan.taken_flows()) + " flows, " +
                               std::to_string(options.sessions) + " times, are more than " +
                               std::to_string(kMostSessions) + " sessions");
}

std::expected<replay::ScanOptions, std::string> MakeScanOptions(const ReplayOptions& options) {
  replay::ScanOptions scan;
  if (!options.first.empty()) {
    const auto first = ReadDuration("--first", options.first);
    if (!first) return std::unexpected(first.error());
    scan.first = *first;
  }
  for (const std::string& text : options.clients) {
    const auto range = IpRange::Parse(text);
    if (!range) return Bad("--client", "`" + text + "`: " + range.error());
    scan.clients.Add(*range);
  }
  scan.allow_truncated = options.allow_truncated;
  scan.all_udp = options.all_udp;
  scan.flow_numbers = options.flows;
  return scan;
}

std::expected<replay::ReplayShape, std::string> MakeShape(const ReplayOptions& options) {
  replay::ReplayShape shape;
  shape.rounds = options.loop;
  shape.copies = options.sessions;
  const auto mix = load::ParseTransportMix(options.run.transport);
  if (!mix) return Bad("--transport", mix.error());
  shape.mix = *mix;
  const auto mode = load::ParseMode(options.run.mode);
  if (!mode) return Bad("--mode", mode.error());
  shape.mode = *mode;
  if (const auto peer = IpAddress::Parse(options.server.peer_address)) {
    shape.peer_family = peer->family();
  }
  return shape;
}

std::expected<load::Plan, std::string> MakeReplayPlan(const ReplayOptions& options,
                                                      const replay::Scan& scan,
                                                      const replay::ScanOptions& scan_options) {
  const uint64_t sessions = scan.taken_flows() * options.sessions;
  auto plan = StartPlan(options.server, options.run, static_cast<uint32_t>(sessions));
  if (!plan) return plan;
  const auto stagger = ReadDuration("--stagger", options.stagger);
  if (!stagger) return std::unexpected(stagger.error());
  const auto duration = ReadDuration("--duration", options.duration);
  if (!duration) return std::unexpected(duration.error());
  auto capture = replay::Capture::Open(options.capture);
  if (!capture) return std::unexpected(capture.error().what);
  auto traffic =
      replay::CollectTraffic(*capture, options.capture, scan, scan_options, options.speed);
  if (!traffic) return std::unexpected(traffic.error());
  plan->traffic = *std::move(traffic);
  plan->spread = false;
  plan->keep_gaps = true;
  plan->rounds = options.loop;
  plan->stagger = *stagger / options.sessions;
  const Duration round = plan->traffic.front().front().period;
  const Duration starts = plan->stagger * (options.sessions - 1);
  const auto rounds = (kLongestRun - starts) / round;
  if (options.loop != 0 && options.loop > static_cast<uint64_t>(rounds)) {
    return Bad("--loop", "that would last more than 7d; --loop 0 goes on until ^C");
  }
  plan->duration =
      options.loop == 0 ? kLongestRun : starts + round * static_cast<int64_t>(options.loop);
  if (duration->count() > 0) plan->duration = std::min(plan->duration, *duration);
  return plan;
}

}  // namespace turnpike
