#include "tools/check/check.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

#include "tools/load/clock.h"
#include "tools/load/socket.h"

namespace turnpike::check {
namespace {

// Addresses is what a host has of each family.
struct Addresses {
  std::optional<IpAddress> v4;
  std::optional<IpAddress> v6;
  StepResult step{.step = Step::kDns};
};

Addresses Look(const std::string& host) {
  Addresses found;
  const MonoTime start = load::ReadMono();
  const auto all = load::ResolveAll(host);
  found.step.took = load::ReadMono() - start;
  if (!all) {
    found.step.fault = Fault::kName;
    found.step.detail = all.error();
    return found;
  }
  for (const IpAddress& address : *all) {
    auto& place = address.is_v4() ? found.v4 : found.v6;
    if (!place) place = address;
    found.step.detail += (found.step.detail.empty() ? "" : ", ") + address.ToString();
  }
  return found;
}

struct Route {
  Transport transport;
  uint16_t port;
};

Route RouteOf(PathKind kind, const Edge& edge) {
  switch (kind) {
    case PathKind::kTurnTcp:
      return {Transport::kTcp, edge.tcp_port};
    case PathKind::kTurnTls:
      return {Transport::kTls, edge.tls_port};
    case PathKind::kStunUdp:
    case PathKind::kTurnUdp:
    case PathKind::kTurnIpv6:
      break;
  }
  return {Transport::kUdp, edge.udp_port};
}

// WhyNot says why a path is not tried; empty: it is.
std::string WhyNot(PathKind kind, const Route& route, const Addresses& addresses) {
  if (route.port == 0) return "not offered";
  if (kind != PathKind::kTurnIpv6) return "";
  if (!addresses.v6) return "the host has no IPv6 address";
  if (!load::SourceAddressFor({*addresses.v6, route.port})) return "no IPv6 in this network";
  return "";
}

}  // namespace

EdgeResult CheckEdge(const Edge& edge, const ProbeOptions& options, const CheckHooks& hooks) {
  EdgeResult result{.edge = edge, .paths = {}, .nat = NatMapping::kUnknown};
  const Addresses addresses = Look(edge.host);
  std::mutex measuring, reporting;
  std::vector<std::jthread> threads;
  result.paths.resize(kPathKinds.size());
  for (const PathKind kind : kPathKinds) {
    PathResult& path = result.paths[static_cast<size_t>(kind)];
    path.kind = kind;
    const Route route = RouteOf(kind, edge);
    if (addresses.step.ok()) path.skipped = WhyNot(kind, route, addresses);
    path.steps.push_back(addresses.step);
    if (!addresses.step.ok() || !path.skipped.empty()) {
      const std::lock_guard lock(reporting);
      if (hooks.on_path) hooks.on_path(path);
      continue;
    }
    const bool on_v6 = kind == PathKind::kTurnIpv6 || !addresses.v4;
    Probe probe{.kind = kind,
                .transport = route.transport,
                .server = {on_v6 ? *addresses.v6 : *addresses.v4, route.port},
                .host = edge.host};
    threads.emplace_back([&, kind, probe = std::move(probe)] {
      if (kind == PathKind::kStunUdp) {
        ProbeStun(probe, options, path, result.nat);
      } else {
        ProbeTurn(probe, options, measuring, path);
      }
      const std::lock_guard lock(reporting);
      if (hooks.on_path) hooks.on_path(path);
    });
  }
  threads.clear();  // waits for them
  return result;
}

}  // namespace turnpike::check
