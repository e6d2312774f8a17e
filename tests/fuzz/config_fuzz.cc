// Any text is a configuration or a list of problems, never a crash. Seed it with
// config/turnpike.yaml.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "config/config.h"

namespace turnpike {
namespace {

std::optional<std::string> FuzzEnvironment(std::string_view name) {
  if (name == "EMPTY") return "";
  if (name == "PORT") return "7000";
  return std::nullopt;
}

// CheckProblem wants one printable line about a line that exists.
void CheckProblem(const config::Problem& problem, std::string_view text) {
  const auto line_count = std::ranges::count(text, '\n') + std::ranges::count(text, '\r') + 1;
  TP_CHECK(problem.line >= 0 && problem.line <= line_count);
  TP_CHECK(!problem.what.empty());
  TP_CHECK(std::ranges::none_of(
      problem.ToString(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7F; }));
}

// CheckConfig holds what nobody checks again after loading.
void CheckConfig(const config::Config& config) {
  TP_CHECK(!config.listen.empty());
  TP_CHECK(!config.auth.users.empty() || !config.auth.secrets.empty());
  TP_CHECK(config.relay.ports.first != 0 && config.relay.ports.first <= config.relay.ports.last);
  for (const auto& user : config.auth.users) {
    TP_CHECK(!user.username.empty() && !user.account.empty() && user.account.size() <= 128);
  }
}

void Run(std::string_view text) {
  // Files of the machine would make a run differ from the next, and a terminal would wait for
  // input.
  if (text.contains("file:")) return;
  const auto config = config::Parse(text, "turnpike.yaml", FuzzEnvironment);
  if (config) return CheckConfig(*config);
  TP_CHECK(!config.error().empty());
  for (const config::Problem& problem : config.error()) CheckProblem(problem, text);
}

}  // namespace
}  // namespace turnpike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::Run(turnpike::AsText({data, size}));
  return 0;
}
