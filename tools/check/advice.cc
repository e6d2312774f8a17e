#include "tools/check/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/check/judge.h"

namespace turnpike::check {
namespace {

using Words = std::map<std::string, std::string>;

Words WordsOf(const EdgeResult& result) {
  return {{"host", result.edge.host},
          {"udp_port", std::to_string(result.edge.udp_port)},
          {"tcp_port", std::to_string(result.edge.tcp_port)},
          {"tls_port", std::to_string(result.edge.tls_port)}};
}

// SaysNothing: nobody answers there, so a firewall may stand between.
bool SaysNothing(const PathResult& path) {
  const StepResult* const failure = path.failure();
  return failure != nullptr &&
         (failure->fault == Fault::kSilent || failure->fault == Fault::kRefused) &&
         failure->step != Step::kRelay;
}

// Adviser collects sentences of one edge, each once.
class Adviser {
 public:
  explicit Adviser(const EdgeResult& result) : result_(result), words_(WordsOf(result)) {}

  void Say(std::string_view name, const Words& more = {}) {
    Words words = words_;
    for (const auto& [word, value] : more) words[word] = value;
    const std::string sentence = Advice(name, words);
    if (std::ranges::count(said_, sentence) == 0) said_.push_back(sentence);
  }

  // SayOfServer speaks of faults that are not the network's; they are the same on every path.
  void SayOfServer() {
    for (const PathResult& path : result_.paths) {
      const StepResult* const failure = path.failure();
      if (failure == nullptr) continue;
      const Words detail = {{"detail", failure->detail}};
      if (failure->fault == Fault::kName) Say("dns");
      if (failure->fault == Fault::kCredentials) Say("credentials");
      if (failure->fault == Fault::kCertificate) Say("certificate", detail);
      if (failure->fault == Fault::kTls) Say("tls-failed", detail);
      if (failure->step == Step::kRelay) Say("relay", detail);
      if (failure->fault == Fault::kServer && failure->step != Step::kRelay) {
        Say("allocate", detail);
      }
    }
  }

  void SayOfNetwork() {
    const PathResult& udp = result_.path(PathKind::kTurnUdp);
    const PathResult& tcp = result_.path(PathKind::kTurnTcp);
    const PathResult& tls = result_.path(PathKind::kTurnTls);
    if (SaysNothing(udp) && !tcp.works() && !tls.works()) {
      Say(SaysNothing(tcp) || SaysNothing(tls) ? "unreachable" : "udp-blocked-no-fallback");
      return;
    }
    if (SaysNothing(udp)) Say("udp-blocked", {{"fallback", tcp.works() ? "TCP" : "TLS"}});
    if (SaysNothing(tcp)) Say("tcp-blocked");
    if (SaysNothing(tls)) Say("tls-blocked");
    if (udp.works() && tcp.failure() != nullptr && tls.failure() != nullptr) Say("no-tcp-or-tls");
  }

  void SayOfQuality(std::span<const Verdict> verdicts) {
    for (const Verdict& verdict : verdicts) {
      for (const Miss& miss : verdict.misses) {
        const std::string value = fmt::format("{:.{}f}", miss.value, miss.limit == "loss" ? 1 : 0);
        Say(miss.limit, {{"value", value}, {"rate", fmt::format("{:g}", miss.allowed)}});
      }
    }
    if (result_.nat == NatMapping::kAddressAndPortDependent) Say("symmetric-nat");
  }

  std::vector<std::string> Take() { return std::move(said_); }

 private:
  const EdgeResult& result_;
  Words words_;
  std::vector<std::string> said_;
};

std::string LabelOf(const char* kind, std::string_view name) {
  return Checks()[kind][std::string(name)];
}

}  // namespace

const nlohmann::json& Checks() {
  static const nlohmann::json checks = nlohmann::json::parse(ChecksText());
  return checks;
}

std::string Advice(std::string_view name, const Words& words) {
  std::string sentence = Checks()["advice"][std::string(name)];
  for (const auto& [word, value] : words) {
    const std::string place = "{" + word + "}";
    for (size_t at = 0; (at = sentence.find(place, at)) != std::string::npos; at += value.size()) {
      sentence.replace(at, place.size(), value);
    }
  }
  return sentence;
}

std::vector<std::string> Advise(const EdgeResult& edge, std::span<const Verdict> verdicts) {
  Adviser adviser(edge);
  adviser.SayOfServer();
  adviser.SayOfNetwork();
  adviser.SayOfQuality(verdicts);
  return adviser.Take();
}

std::string PathLabel(PathKind kind) { return LabelOf("paths", PathName(kind)); }
std::string StepLabel(Step step) { return LabelOf("steps", StepName(step)); }

}  // namespace turnpike::check
