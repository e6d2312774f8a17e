#include "server/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace turnpike {
namespace {

// Capabilities is what capget and capset exchange: 64 bits in two halves.
struct Capabilities {
  uint64_t effective = 0;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
};

constexpr uint64_t kLowPorts = uint64_t{1} << CAP_NET_BIND_SERVICE;

std::expected<Capabilities, std::string> Get() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) {
    return std::unexpected(std::string("capget: ") + std::strerror(errno));
  }
  const auto join = [](uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; };
  return Capabilities{.effective = join(data[0].effective, data[1].effective),
                      .permitted = join(data[0].permitted, data[1].permitted),
                      .inheritable = join(data[0].inheritable, data[1].inheritable)};
}

// Keep sets effective and permitted to `kept`, and lets no program inherit any.
bool Keep(uint64_t kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const auto low = static_cast<uint32_t>(kept);
  const auto high = static_cast<uint32_t>(kept >> 32);
  const std::array<__user_cap_data_struct, 2> data{{{low, low, 0}, {high, high, 0}}};
  return syscall(SYS_capset, &header, data.data()) == 0;
}

}  // namespace

std::expected<std::string, std::string> DropCapabilities(bool keep_low_ports) {
  const auto had = Get();
  if (!had) return std::unexpected(had.error());
  const uint64_t kept = keep_low_ports ? had->permitted & kLowPorts : 0;
  // Without CAP_SETPCAP this is refused. It does not matter then: no_new_privs keeps programs from
  // gaining what the bounding set allows.
  for (unsigned long each = 0; prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; ++each) {
    prctl(PR_CAPBSET_DROP, each, 0, 0, 0);
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const bool nothing_to_do =
      had->permitted == kept && had->effective == kept && had->inheritable == 0;
  if (!nothing_to_do && !Keep(kept)) {
    return std::unexpected(std::string("capset: ") + std::strerror(errno));
  }
  return kept == 0 ? "none" : "CAP_NET_BIND_SERVICE";
}

}  // namespace turnpike
