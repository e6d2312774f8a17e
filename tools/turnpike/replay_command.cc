#include "tools/turnpike/replay_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "common/metering/invoice_output.h"
#include "config/rates.h"
#include "tools/load/clock.h"
#include "tools/replay/flow_list.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/load_run.h"
#include "tools/turnpike/replay_options.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

int Failed(const std::string& error) { return Complain(error, "replay"); }

bool IsTerminal() { return isatty(STDERR_FILENO) == 1; }

// ShowReading says on a terminal how far a large capture was read; ClearLine takes that away.
void ShowReading(double share) {
  std::cerr << "\rreading: " << static_cast<int>(100 * share) << " %" << std::flush;
}
void ClearLine() {
  if (IsTerminal()) std::cerr << "\r\x1b[K" << std::flush;
}

// WriteBoth writes for people to standard output, and for programs to the file of --json; `-` is
// standard output alone. It returns the exit status.
template <typename Table, typename Json>
int WriteBoth(const std::string& path, Table table, Json json) {
  if (path == "-") {
    json(std::cout);
  } else {
    table(std::cout);
  }
  if (!path.empty() && path != "-") {
    std::ofstream file(path);
    json(file);
    file.flush();
    if (!file.good()) return Failed("cannot write " + path);
  }
  return Finish();
}

// Forecast is what a run is expected to cost.
struct Forecast {
  RateTable rates;
  replay::Payer payer;
  std::vector<UsageRow> usage;
  WallTime now;
};

// MakeForecast returns nullopt, and has said why, when there are no rates to be had.
std::optional<Forecast> MakeForecast(const ReplayOptions& options, const replay::Scan& scan,
                                     const replay::ReplayShape& shape) {
  const WallTime now = load::ReadWall();
  const BillingPeriod period = BillingPeriodOf(now);
  auto rates = LoadRatesOrPrintProblems(options.rates, config::RatedTime{period.from, period.to});
  if (!rates) return std::nullopt;
  replay::Payer payer{options.server.account, options.region, options.server.label};
  auto usage = replay::ForecastUsage(scan, shape, payer, now);
  return Forecast{*std::move(rates), std::move(payer), std::move(usage), now};
}

int Predict(const ReplayOptions& options, const Forecast& forecast) {
  const auto invoice =
      replay::Bill(forecast.rates, forecast.payer.account, forecast.usage, forecast.now);
  if (!invoice) return Failed(invoice.error());
  InvoiceDocument document{forecast.rates.seller, forecast.rates.invoice_issuer, {}, *invoice};
  document.scope.period = {invoice->period.from, invoice->period.to};
  document.scope.as_of = forecast.now;
  return WriteBoth(
      options.run.json,
      [&](std::ostream& out) {
        out << "FORECAST: what this replay will cost " << forecast.payer.account
            << ", were it all of its usage in the month\n";
        WriteInvoice(document, InvoiceFormat::kTable, out);
      },
      [&](std::ostream& out) { WriteInvoice(document, InvoiceFormat::kJson, out); });
}

int Replay(const ReplayOptions& options, const replay::Scan& scan,
           const replay::ScanOptions& scan_options, replay::ReplayShape shape) {
  const auto plan = MakeReplayPlan(options, scan, scan_options);
  ClearLine();
  if (!plan) return Failed(plan.error());
  replay::WriteNotes(scan, std::cerr);
  if (IsTerminal()) {
    std::cerr << scan.taken_flows() << " flows with " << scan.taken_packets() << " packets, "
              << options.sessions << " times side by side, for "
              << (options.loop == 0
                      ? "ever"
                      : std::to_string(plan->duration / std::chrono::seconds(1)) + " s")
              << "\n";
  }
  if (options.rates.empty()) return RunAndReport("replay", *plan, options.run);
  shape.peer_family = plan->peer_ip.family();
  const auto forecast = MakeForecast(options, scan, shape);
  if (!forecast) return 1;
  return RunAndReport("replay", *plan, options.run, [&](load::RunResult& result) {
    if (!result.billing) return;
    result.forecast = replay::Compare(forecast->rates, forecast->payer, forecast->usage,
                                      result.billing->ledger, forecast->now);
  });
}

int Run(const ReplayOptions& options) {
  if (const auto ok = CheckReplayOptions(options); !ok) return Failed(ok.error());
  auto scan_options = MakeScanOptions(options);
  if (!scan_options) return Failed(scan_options.error());
  if (IsTerminal()) scan_options->progress = &ShowReading;
  const auto shape = MakeShape(options);
  if (!shape) return Failed(shape.error());
  auto capture = replay::Capture::Open(options.capture);
  if (!capture) return Failed(capture.error().what);
  const auto scan = replay::ScanCapture(*capture, options.capture, *scan_options);
  ClearLine();
  if (!scan) return Failed(scan.error());
  if (options.dry_run) {
    return WriteBoth(
        options.run.json,
        [&](std::ostream& out) { replay::WriteFlowTable(*scan, options.capture, out); },
        [&](std::ostream& out) { replay::WriteFlowJson(*scan, options.capture, out); });
  }
  if (const auto ok = CheckSessions(options, *scan); !ok) return Failed(ok.error());
  if (!options.predict) return Replay(options, *scan, *scan_options, *shape);
  replay::WriteNotes(*scan, std::cerr);
  const auto forecast = MakeForecast(options, *scan, *shape);
  return forecast ? Predict(options, *forecast) : 1;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int* exit_status) {
  CLI::App* const command =
      app.add_subcommand("replay", "Send the UDP flows of a capture through a TURN server");
  const auto options = std::make_shared<ReplayOptions>();
  AddReplayOptions(*command, *options);
  command->footer(
      "Each flow goes through an allocation of its own, in both directions where the capture has\n"
      "both, with the sizes and gaps that were captured. Payloads are made up: nothing of what\n"
      "people said leaves the capture. Of a capture between TURN clients and their server the\n"
      "application data inside is replayed as those clients' traffic; TURN over TCP or TLS is not\n"
      "taken apart. At most 50,000,000 packets are held, 8 bytes each; --first and --flow take\n"
      "a part of more. The exit status is 0 when every session did what it should.\n"
      "\n"
      "Examples:\n"
      "  turnpike replay call.pcap --dry-run\n"
      "  turnpike replay call.pcap --predict --rates rates.yaml --account acme --region us1\n"
      "  turnpike replay call.pcap --server turn.example --user alice --password s3cret\n"
      "  turnpike replay call.pcap --server 127.0.0.1 --secret-file secret --sessions 500 --loop "
      "10 "
      "\\\n"
      "    --assert-billing --ledger /var/lib/turnpike --threshold 'gap-p99<1ms'\n"
      "The peers are sockets of this host. Where its address is a private or a loopback one, the\n"
      "server refuses it as a peer unless relay.peers.allow has it.");
  command->callback([options, exit_status] { *exit_status = Run(*options); });
}

}  // namespace turnpike
