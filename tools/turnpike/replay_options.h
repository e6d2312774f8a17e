// The options of `turnpike replay`, and the plan that they make of a capture.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "tools/load/plan.h"
#include "tools/replay/forecast.h"
#include "tools/replay/scan.h"
#include "tools/turnpike/load_options.h"

namespace CLI {
class App;
}

namespace turnpike {

// ReplayOptions are those of `turnpike replay`, as text.
struct ReplayOptions {
  std::string capture;
  ServerOptions server;
  RunOptions run;
  double speed = 1;
  uint64_t loop = 1;
  uint32_t sessions = 1;  // copies of each flow
  std::string stagger = "1s";
  std::string duration;
  std::string first;
  std::vector<uint32_t> flows;
  std::vector<std::string> clients;
  bool all_udp = false;
  bool allow_truncated = false;
  bool dry_run = false;
  bool predict = false;
  std::string rates;
  std::string region;
};

// AddReplayOptions adds the options to `command`; `options` outlives it.
void AddReplayOptions(CLI::App& command, ReplayOptions& options);

// CheckReplayOptions says what does not go together.
std::expected<void, std::string> CheckReplayOptions(const ReplayOptions& options);

// CheckSessions says when the flows of `scan` are too many, copied as `options` say.
std::expected<void, std::string> CheckSessions(const ReplayOptions& options,
                                               const replay::Scan& scan);

// MakeScanOptions and MakeShape fail with a sentence that names the option.
std::expected<replay::ScanOptions, std::string> MakeScanOptions(const ReplayOptions& options);
std::expected<replay::ReplayShape, std::string> MakeShape(const ReplayOptions& options);

// MakeReplayPlan reads the capture for the second time. CheckSessions has passed; it fails with a
// sentence.
std::expected<load::Plan, std::string> MakeReplayPlan(const ReplayOptions& options,
                                                      const replay::Scan& scan,
                                                      const replay::ScanOptions& scan_options);

}  // namespace turnpike
