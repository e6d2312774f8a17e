// `turnpike config`: prints the reference and allowlists, and checks files.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace CLI {
class App;
}

namespace turnpike {

// LoadOrPrintProblems loads the configuration at `path`, or writes every problem to standard error,
// a line each, and returns nullopt.
std::optional<config::Config> LoadOrPrintProblems(const std::string& path);

// AddConfigCommand adds `config reference`, `config check FILE` and `config allowlist FILE` to
// `app`. When one ran,
// `*exit_status` is set: 1 if the file has problems.
void AddConfigCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
