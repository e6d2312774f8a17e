#include "common/net/host_prefix.h"

#include <algorithm>
#include <array>

namespace turnpike {

IpAddress HostPrefix(const IpAddress& client) {
  if (client.is_v4()) return client;
  std::array<uint8_t, 16> prefix{};
  std::ranges::copy(client.bytes().first(8), prefix.begin());
  return IpAddress::V6(prefix);
}

}  // namespace turnpike
