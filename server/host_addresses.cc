#include "server/host_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <string_view>

#include "common/net/ip_set.h"
#include "server/io/sockaddr.h"

namespace turnpike {
namespace {

bool IsIn(const IpAddress& ip, std::string_view range) {
  return IpRange::Parse(range)->Contains(ip);
}

// Rank orders addresses by how well they serve as a relay's: 0 public, 1 private, 2 not at all.
int Rank(const IpAddress& ip) {
  if (ip.is_unspecified() || IsLoopback(ip)) return 2;
  for (const char* range : {"169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8"}) {
    if (IsIn(ip, range)) return 2;
  }
  for (const char* range :
       {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}) {
    if (IsIn(ip, range)) return 1;
  }
  return 0;
}

}  // namespace

bool IsPublic(const IpAddress& ip) { return Rank(ip) == 0; }

bool IsLoopback(const IpAddress& ip) { return IsIn(ip, "127.0.0.0/8") || IsIn(ip, "::1"); }

std::vector<IpAddress> HostAddresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0) continue;
    SocketAddress kernel{};
    if (each->ifa_addr->sa_family == AF_INET) {
      kernel.v4 = *reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      kernel.v6 = *reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
    } else {
      continue;
    }
    const IpAddress ip = FromSocketAddress(kernel).ip;
    if (std::ranges::find(addresses, ip) == addresses.end()) addresses.push_back(ip);
  }
  freeifaddrs(list);
  return addresses;
}

std::vector<IpAddress> ChooseRelayAddresses(const std::vector<IpAddress>& host) {
  std::vector<IpAddress> chosen;
  for (const AddressFamily family : {AddressFamily::kIpv4, AddressFamily::kIpv6}) {
    const IpAddress* best = nullptr;
    for (const IpAddress& ip : host) {
      if (ip.family() != family || Rank(ip) == 2) continue;
      if (best == nullptr || Rank(ip) < Rank(*best)) best = &ip;
    }
    if (best != nullptr) chosen.push_back(*best);
  }
  if (!chosen.empty()) return chosen;
  std::ranges::copy_if(host, std::back_inserter(chosen), IsLoopback);
  return chosen;
}

}  // namespace turnpike
