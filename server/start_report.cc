#include "server/start_report.h"

#include <algorithm>

#include "config/keys.h"
#include "server/host_addresses.h"
#include "server/io/udp.h"
#include "server/setup.h"

namespace turnpike {
namespace {

void WarnOfDescriptors(const config::Config& config, const std::vector<RelayAddress>& relays,
                       uint64_t limit, std::vector<std::string>& warnings) {
  const uint64_t ports = uint64_t{config.relay.ports.last} - config.relay.ports.first + 1;
  const bool has_streams = !StreamListeners(config).empty();
  const uint64_t relayed = std::min<uint64_t>(ports * relays.size(), config.metering.slots);
  const uint64_t wanted =
      relayed + (has_streams ? std::min<uint64_t>(config.limits.connections, relayed) : 0);
  if (limit >= wanted) return;
  warnings.push_back("the limit on open files is " + std::to_string(limit) +
                     ", and each relayed address" + (has_streams ? " and each connection" : "") +
                     " takes one: raise it (LimitNOFILE, ulimit -n) to serve up to " +
                     std::to_string(wanted));
}

// A NAT or a firewall may shield even a public address, but nothing here can know.
void WarnOfAdmin(const config::Config& config, std::vector<std::string>& warnings) {
  const IpAddress& ip = config.admin.address.ip;
  if (!ip.is_unspecified() && !IsPublic(ip)) return;
  const std::string where = "the admin endpoint listens on " + config.admin.address.ToString();
  warnings.push_back(config.admin.token.empty()
                         ? where +
                               ": whoever can reach it reads metrics, which name accounts; bind "
                               "admin.address to a private address, or let the firewall keep the "
                               "world out"
                         : where +
                               ", and there is no TLS: whoever can listen in learns admin.token; "
                               "bind admin.address to a private address");
}

}  // namespace

std::vector<std::string> Warnings(const config::Config& config,
                                  const std::vector<RelayAddress>& relays,
                                  const HostLimits& limits) {
  std::vector<std::string> warnings;
  if (std::ranges::any_of(relays, [](const RelayAddress& r) { return IsLoopback(r.advertise); })) {
    warnings.push_back(
        "relays are on a loopback address: nobody outside of this host can use them; name an "
        "address in relay.addresses");
  }
  WarnOfDescriptors(config, relays, limits.descriptors, warnings);
  if (limits.receive_buffer && *limits.receive_buffer < uint64_t{kListenerBuffer}) {
    warnings.push_back("the kernel caps receive buffers at " +
                       std::to_string(*limits.receive_buffer) +
                       " bytes, so bursts are lost at high rates: sysctl -w net.core.rmem_max=" +
                       std::to_string(kListenerBuffer));
  }
  WarnOfAdmin(config, warnings);
  if (!limits.backup_fault.empty()) {
    // The directory is opened to the process at its start, and nothing is afterwards.
    warnings.push_back("no copies of the ledger can be made: metering.backup.directory " +
                       limits.backup_fault + ", and restart the server");
  }
  if (config.auth.realm == config::Defaults().auth.realm) {
    warnings.push_back("auth.realm is the default, `" + config.auth.realm +
                       "`: set it to a name of your own before there are clients, who lose their "
                       "calls when it changes");
  }
  // REALM is in every answer to a stranger, who may have forged the address that it goes to.
  constexpr size_t kModestRealm = 28;
  if (config.auth.realm.size() > kModestRealm) {
    warnings.push_back("auth.realm has " + std::to_string(config.auth.realm.size()) +
                       " bytes: with more than " + std::to_string(kModestRealm) +
                       " an answer is over three times as large as the smallest request, which "
                       "serves those who flood others by forged requests");
  }
  if (config.auth.users.empty() && config.auth.secrets.empty()) {
    warnings.push_back("nobody can allocate: auth has neither secrets nor users");
  }
  return warnings;
}

std::string DescribeLimits(const config::Config& config) {
  const config::Config defaults = config::Defaults();
  std::vector<std::string> parts;
  for (const config::Key& key : config::Keys()) {
    if (!key.name.starts_with("limits.") || key.change(defaults, config).empty()) continue;
    parts.push_back(std::string(config::KeyLeaf(key.name)) + "=" + key.print(config));
  }
  return parts.empty() ? "defaults" : JoinTexts(parts);
}

std::string DescribeRelays(const std::vector<RelayAddress>& relays) {
  std::vector<std::string> parts;
  for (const RelayAddress& relay : relays) {
    parts.push_back(relay.bind == relay.advertise
                        ? relay.bind.ToString()
                        : relay.bind.ToString() + " as " + relay.advertise.ToString());
  }
  return JoinTexts(parts);
}

std::string JoinTexts(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " ") + part;
  return text;
}

}  // namespace turnpike
