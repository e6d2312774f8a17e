#include "tools/load/hostile.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/load/clock.h"
#include "tools/load/hostile_kinds.h"
#include "tools/load/process_cost.h"
#include "tools/load/report.h"

namespace turnpike::load {
namespace {

struct Kind {
  std::string_view name;
  Hostility kind;
  void (*run)(HostileStage&);
};
constexpr Kind kKinds[] = {{"bad-auth", Hostility::kBadAuth, &FloodBadAuth},
                           {"no-permission", Hostility::kNoPermission, &FloodNoPermission},
                           {"slow-reader", Hostility::kSlowReader, &ReadSlowly},
                           {"half-tls", Hostility::kHalfTls, &StopHandshakes}};

}  // namespace

std::expected<Hostility, std::string> ParseHostility(std::string_view name) {
  std::string known;
  for (const Kind& each : kKinds) {
    if (each.name == name) return each.kind;
    known += (known.empty() ? "" : ", ") + std::string(each.name);
  }
  return std::unexpected("`" + std::string(name) + "` is none: use one of " + known);
}

HostileStage::HostileStage(const HostilePlan& hostile, const RunHooks& hooks, HostileResult& result)
    : hostile_(hostile), hooks_(hooks), result_(result), context_(hostile.plan) {
  ReadClocks();
}

void HostileStage::ReadClocks() {
  context_.now = ReadMono();
  context_.wall_to_mono = WallMinusMono();
}

void HostileStage::Flood(const std::function<void()>& act, const std::function<void()>& look) {
  const auto server_cost = [&]() -> std::optional<ProcessCost> {
    if (!hooks_.server_pid) return std::nullopt;
    const auto cost = ReadProcessCost(*hooks_.server_pid);
    return cost ? std::optional(*cost) : std::nullopt;
  };
  const auto before = server_cost();
  const double own_before = OwnCpuSeconds();
  ReadClocks();
  const MonoTime begin = context_.now;
  uint64_t acts = 0;
  Poll(
      plan().duration, [&] { return result_.interrupted; },
      [&] {
        const std::chrono::duration<double> since = context_.now - begin;
        // At most a second's worth at once: who was held up does not make good for it.
        const auto due = static_cast<uint64_t>(since.count() * hostile_.per_second);
        const auto most = static_cast<uint64_t>(std::max(1.0, hostile_.per_second));
        for (acts = std::max(acts, due > most ? due - most : 0); acts < due; ++acts) act();
        look();
      });
  result_.seconds = std::chrono::duration<double>(context_.now - begin).count();
  result_.generator_cpu_seconds = OwnCpuSeconds() - own_before;
  const auto after = server_cost();
  if (before && after) {
    result_.server_cost = {after->cpu_seconds - before->cpu_seconds, after->resident_bytes};
  }
}

bool HostileStage::Poll(Duration patience, const std::function<bool()>& ready,
                        const std::function<void()>& look) {
  const MonoTime deadline = ReadMono() + patience;
  while (!ready()) {
    ReadClocks();
    if (context_.now >= deadline) return false;
    if (hooks_.interrupted && hooks_.interrupted()) {
      result_.interrupted = true;
      return ready();
    }
    look();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

HostileResult RunHostile(const HostilePlan& hostile, const RunHooks& hooks) {
  HostileResult result;
  if (const auto room = RaiseDescriptorLimit(hostile.plan.sessions); !room) {
    result.error = room.error();
    return result;
  }
  for (const Kind& each : kKinds) {
    if (each.kind != hostile.kind) continue;
    result.kind = each.name;
    HostileStage stage(hostile, hooks, result);
    each.run(stage);
  }
  return result;
}

void WriteHostileTable(const HostileResult& result, std::ostream& out) {
  out << fmt::format("{}: {:.1f} s{}\n", result.kind, result.seconds,
                     result.interrupted ? " (interrupted)" : "");
  out << "it did\n";
  for (const auto& [what, count] : result.did) out << fmt::format("  {:>12} {}\n", count, what);
  out << "the server\n";
  if (result.answered.empty()) out << "             did nothing\n";
  for (const auto& [what, count] : result.answered) {
    out << fmt::format("  {:>12} {}\n", count, what);
  }
  if (result.closing.count() > 0) {
    out << fmt::format("               after {} to {}, half of them within {}\n",
                       FormatLatency(result.closing.min()), FormatLatency(result.closing.max()),
                       FormatLatency(result.closing.Percentile(50)));
  }
  out << fmt::format("generator   {:>8.2f} s CPU\n", result.generator_cpu_seconds);
  if (result.server_cost) {
    out << fmt::format("server      {:>8.2f} s CPU {:>8.1f} MiB resident\n",
                       result.server_cost->cpu_seconds,
                       static_cast<double>(result.server_cost->resident_bytes) / (1 << 20));
  }
}

void WriteHostileJson(const HostileResult& result, std::ostream& out) {
  nlohmann::json json{{"hostile", result.kind},
                      {"seconds", result.seconds},
                      {"interrupted", result.interrupted},
                      {"did", result.did},
                      {"answered", result.answered},
                      {"generator_cpu_seconds", result.generator_cpu_seconds},
                      {"error", result.error}};
  if (result.server_cost) {
    json["server_process"] = {{"cpu_seconds", result.server_cost->cpu_seconds},
                              {"resident_bytes", result.server_cost->resident_bytes}};
  }
  out << json.dump(2) << "\n";
}

}  // namespace turnpike::load
