#include "tools/turnpike/load_command.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "tools/turnpike/complain.h"
#include "tools/turnpike/load_options.h"
#include "tools/turnpike/load_run.h"

namespace turnpike {

void AddLoadCommand(CLI::App& app, int* exit_status) {
  CLI::App* const command =
      app.add_subcommand("load", "Send synthetic calls through a TURN server, and measure");
  const auto options = std::make_shared<LoadOptions>();
  AddLoadOptions(*command, *options);
  command->footer(
      "Packets leave when they are due, whatever became of earlier ones, and latency counts from\n"
      "then. The exit status is 0 when every session did what it should.\n"
      "\n"
      "Examples:\n"
      "  turnpike load --server turn.example --user alice --password s3cret --sessions 50\n"
      "  turnpike load --server 127.0.0.1:3478 --secret-file secret --sessions 1000 --pps 20000 "
      "\\\n"
      "    --direction up --assert-billing --ledger /var/lib/turnpike --server-pid $(pidof "
      "turnpiked)\n"
      "  turnpike load --server turn.example --user a --password b --hostile bad-auth --pps 5000\n"
      "The peers are sockets of this host. Where its address is a private or a loopback one, the\n"
      "server refuses it as a peer unless relay.peers.allow has it.");
  command->callback([options, exit_status] {
    const auto plan = MakePlan(*options);
    if (!plan) {
      *exit_status = Complain(plan.error(), "load");
      return;
    }
    if (options->hostile.empty()) {
      *exit_status = RunAndReport("load", *plan, options->run);
      return;
    }
    const auto kind = load::ParseHostility(options->hostile);
    if (!kind) {
      *exit_status = Complain("--hostile: " + kind.error(), "load");
      return;
    }
    load::HostilePlan hostile{*plan, *kind};
    if (options->packets_per_second > 0) hostile.per_second = options->packets_per_second;
    *exit_status = RunHostileAndReport(hostile, options->run);
  });
}

}  // namespace turnpike
