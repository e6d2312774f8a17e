// turnpike: the command that people type. One file per subcommand.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "common/base/version.h"
#include "tools/turnpike/account.h"
#include "tools/turnpike/admin_commands.h"
#include "tools/turnpike/check_command.h"
#include "tools/turnpike/config_command.h"
#include "tools/turnpike/load_command.h"
#include "tools/turnpike/replay_command.h"
#include "tools/turnpike/token.h"
#include "tools/turnpike/usage.h"

// An exception that nobody expects ends the program with what it says: nothing better is known.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  CLI::App app{
      "Turnpike: usage, credentials, configuration, network and load tests of a STUN/TURN relay",
      "turnpike"};
  app.set_version_flag("--version", std::string("turnpike ") + turnpike::kVersion);
  app.require_subcommand(1);
  int exit_status = 0;
  turnpike::AddUsageCommand(app, &exit_status);
  turnpike::AddTokenCommand(app, &exit_status);
  turnpike::AddAccountCommand(app, &exit_status);
  turnpike::AddConfigCommand(app, &exit_status);
  turnpike::AddLoadCommand(app, &exit_status);
  turnpike::AddReplayCommand(app, &exit_status);
  turnpike::AddCheckCommand(app, &exit_status);
  turnpike::AddAdminCommands(app, &exit_status);
  // After the subcommands, which would take it over as their own.
  app.footer(
      "Examples:\n"
      "  turnpike usage report --ledger /var/lib/turnpike --from 2026-11-01 --to 2026-12-01\n"
      "  turnpike token --config turnpike.yaml --account acme --ttl 24h\n"
      "  turnpike config check turnpike.yaml\n"
      "  turnpike sessions --token \"$TOKEN\" --watch\n"
      "  turnpike check turn.example --user alice --password s3cret\n"
      "  turnpike load --server turn.example --user alice --password s3cret --sessions 50\n"
      "  turnpike replay call.pcap --server turn.example --user alice --password s3cret\n"
      "\n"
      "turnpike COMMAND --help says more. The server is turnpiked.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    constexpr int kUsageError = 2;  // as shells and coreutils have it; CLI11's own are above 100
    return app.exit(error) == 0 ? 0 : kUsageError;
  } catch (const std::exception& error) {
    std::cerr << "turnpike: " << error.what() << "\n";
    return 1;
  }
  return exit_status;
}
