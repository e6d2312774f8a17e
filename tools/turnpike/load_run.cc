#include "tools/turnpike/load_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tools/load/billing.h"
#include "tools/load/books.h"
#include "tools/load/clock.h"
#include "tools/load/process_cost.h"
#include "tools/load/report.h"
#include "tools/load/report_files.h"
#include "tools/load/run.h"
#include "tools/load/threshold.h"
#include "tools/turnpike/complain.h"

namespace turnpike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long a ledger may take to have the last session's end: a few checkpoints.
constexpr Duration kLedgerPatience = seconds(30);

std::atomic<bool> interrupted{false};

void OnSignal(int) { interrupted.store(true); }

// CatchSignals makes the first ^C end the run with a report, and the second end the program.
void CatchSignals() {
  struct sigaction action{};
  action.sa_handler = &OnSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // clang's headers have it unsigned
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void ShowTraffic(const load::LiveProgress& progress) {
  constexpr std::string_view kPhases[] = {"opening", "traffic", "settling", "releasing"};
  std::cerr << fmt::format("\r{:<9} {:6.1f} s  {} sessions  {} sent  {} received \x1b[K",
                           kPhases[static_cast<size_t>(progress.phase)], progress.seconds,
                           progress.live, progress.sent, progress.received)
            << std::flush;
}

using RelayedBytes = std::array<uint64_t, kDirectionCount>;

std::expected<RelayedBytes, std::string> ReadMetrics(const std::string& url) {
  const auto page = load::FetchPage(url);
  if (!page) return std::unexpected(page.error());
  // A server that has relayed nothing yet may not show the counter.
  return load::RelayedBytesOf(*page).value_or(RelayedBytes{});
}

// CompareBooks waits until the ledger has the sessions' ends, and compares.
load::BillingResult CompareBooks(const load::RunResult& result, const RunOptions& options,
                                 const RelayedBytes& metrics_before) {
  const auto failed = [](const std::string& why) {
    load::BillingResult billing;
    billing.error = why;
    return billing;
  };
  // The server's clock reads a little later than ours did.
  const WallTime since = result.started_at - seconds(1);
  const MonoTime deadline = load::ReadMono() + kLedgerPatience;
  std::vector<load::LedgerSession> ledger;
  while (true) {
    auto read = load::ReadLedger(options.ledger, since);
    if (!read) return failed(read.error());
    ledger = std::move(*read);
    if (load::AllClosed(result.sessions, ledger) || load::ReadMono() >= deadline) break;
    std::this_thread::sleep_for(milliseconds(200));
  }
  load::BillingInput input{result.sessions, ledger, std::nullopt};
  if (!options.metrics.empty()) {
    const auto after = ReadMetrics(options.metrics);
    if (!after) return failed(after.error());
    input.metrics = {(*after)[0] - metrics_before[0], (*after)[1] - metrics_before[1]};
  }
  return load::CompareBilling(input);
}

// WriteFile is false when there is a file to be written and that fails.
template <typename Writer>
bool WriteFile(const std::string& path, Writer write) {
  if (path.empty()) return true;
  std::ofstream file(path);
  write(file);
  file.flush();
  if (!file.good()) std::cerr << "cannot write " << path << "\n";
  return file.good();
}

using Verdicts = std::vector<load::Verdict>;

// WriteOutputs is false when a file cannot be written.
bool WriteOutputs(const load::RunResult& result, const Verdicts& verdicts,
                  const RunOptions& options) {
  bool ok = true;
  if (options.json == "-") {
    load::WriteJson(result, std::cout);
  } else {
    load::WriteTable(result, std::cout);
    for (const load::Verdict& verdict : verdicts) {
      std::cout << (verdict.passed ? "ok    " : "FAIL  ") << verdict.detail << "\n";
    }
    ok = WriteFile(options.json, [&](std::ostream& out) { load::WriteJson(result, out); });
  }
  ok &= WriteFile(options.hdr, [&](std::ostream& out) { load::WriteHdr(result.latency(), out); });
  ok &=
      WriteFile(options.junit, [&](std::ostream& out) { load::WriteJUnit(result, verdicts, out); });
  ok &= WriteFile(options.html, [&](std::ostream& out) { load::WriteHtml(result, verdicts, out); });
  std::cout.flush();
  return ok && std::cout.good();
}

// MakeHooks fails with a sentence that names the option.
std::expected<load::RunHooks, std::string> MakeHooks(const RunOptions& options) {
  load::RunHooks hooks;
  if (options.server_pid != 0) {
    if (const auto cost = load::ReadProcessCost(options.server_pid); !cost) {
      return std::unexpected("--server-pid: " + cost.error());
    }
    hooks.server_pid = options.server_pid;
  }
  hooks.interrupted = [] { return interrupted.load(); };
  return hooks;
}

}  // namespace

int RunHostileAndReport(const load::HostilePlan& hostile, const RunOptions& options) {
  if (options.assert_billing || !options.thresholds.empty() || !options.hdr.empty() ||
      !options.html.empty() || !options.junit.empty()) {
    return Complain(
        "--hostile has counts alone: it goes with --json, not with thresholds, "
        "billing or other files",
        "load");
  }
  const auto hooks = MakeHooks(options);
  if (!hooks) return Complain(hooks.error(), "load");
  CatchSignals();
  const load::HostileResult result = load::RunHostile(hostile, *hooks);
  bool ok = true;
  if (options.json == "-") {
    load::WriteHostileJson(result, std::cout);
  } else if (result.error.empty()) {
    load::WriteHostileTable(result, std::cout);
  }
  if (options.json != "-") {
    ok = WriteFile(options.json, [&](std::ostream& out) { load::WriteHostileJson(result, out); });
  }
  if (!result.error.empty()) return Complain("--hostile: " + result.error, "load");
  return ok ? 0 : 1;
}

int RunAndReport(std::string_view command, const load::Plan& plan, const RunOptions& options,
                 const std::function<void(load::RunResult&)>& judge) {
  std::vector<load::Threshold> thresholds;
  for (const std::string& text : options.thresholds) {
    auto threshold = load::ParseThreshold(text);
    if (!threshold) return Complain("--threshold " + threshold.error(), command);
    thresholds.push_back(std::move(*threshold));
  }
  auto hooks = MakeHooks(options);
  if (!hooks) return Complain(hooks.error(), command);
  RelayedBytes metrics_before{};
  if (!options.metrics.empty()) {
    const auto read = ReadMetrics(options.metrics);
    if (!read) return Complain("--metrics: " + read.error(), command);
    metrics_before = *read;
  }
  if (options.assert_billing) {
    const auto readable = load::ReadLedger(options.ledger, load::ReadWall());
    if (!readable) return Complain("--ledger: " + readable.error(), command);
  }
  const bool is_terminal = isatty(STDERR_FILENO) == 1;
  if (is_terminal) hooks->progress = &ShowTraffic;
  CatchSignals();
  load::RunResult result = load::Run(plan, *hooks);
  result.command = command;
  if (is_terminal) std::cerr << "\r\x1b[K" << std::flush;
  if (options.assert_billing) result.billing = CompareBooks(result, options, metrics_before);
  if (judge) judge(result);
  Verdicts verdicts;
  for (const load::Threshold& each : thresholds) verdicts.push_back(load::Judge(each, result));
  bool ok = WriteOutputs(result, verdicts, options);
  if (!std::ranges::all_of(verdicts, &load::Verdict::passed)) {
    ok = Complain("a threshold was not met", command) == 0;
  }
  if (!result.error.empty()) ok = Complain(result.error, command) == 0;
  if (!result.failures().empty()) {
    ok = Complain("sessions failed; the reasons stand above", command) == 0;
  }
  if (result.billing && !result.billing->passed()) {
    ok = Complain("the bill is not what was sent", command) == 0;
  }
  if (result.forecast && !result.forecast->passed()) {
    ok = Complain("the bill is not what was foretold", command) == 0;
  }
  return ok ? 0 : 1;
}

}  // namespace turnpike
