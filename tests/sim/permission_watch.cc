#include "tests/sim/permission_watch.h"

#include <cstddef>

namespace turnpike::sim {
namespace {

constexpr uint16_t kCreatePermission = 0x0008;
constexpr uint16_t kChannelBind = 0x0009;
constexpr uint16_t kXorPeerAddress = 0x0012;
constexpr int64_t kPermissionUs = int64_t{300} * 1'000'000;
constexpr int64_t kChannelUs = int64_t{600} * 1'000'000;

uint16_t Number(PermissionWatch::Bytes bytes, size_t offset) {
  return static_cast<uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

}  // namespace

PermissionWatch::Ip PermissionWatch::Canonical(const Ip& ip) const {
  const auto alias = aliases_.find(ip);
  return alias == aliases_.end() ? ip : alias->second;
}

void PermissionWatch::SawRequest(const std::string& client, Bytes message, int64_t now_us) {
  if (message.size() < 20) return;
  const uint16_t type = Number(message, 0);
  if (type != kCreatePermission && type != kChannelBind) return;
  for (size_t at = 20; at + 4 <= message.size();) {
    const size_t size = Number(message, at + 2);
    if (at + 4 + size > message.size()) return;
    if (Number(message, at) == kXorPeerAddress && (size == 8 || size == 20)) {
      // The address is XORed with the sixteen bytes behind the header's length.
      Ip ip;
      for (size_t i = 0; i < size - 4; ++i) {
        ip.push_back(static_cast<uint8_t>(message[at + 8 + i] ^ message[4 + i]));
      }
      Asked& asked = asked_[client][Canonical(ip)];
      asked.permission_us = now_us;
      if (type == kChannelBind) asked.channel_us = now_us;
    }
    at += 4 + (size + 3) / 4 * 4;
  }
}

bool PermissionWatch::MayRelay(const std::string& client, const Ip& peer, bool on_channel,
                               int64_t now_us) const {
  const auto of_client = asked_.find(client);
  if (of_client == asked_.end()) return false;
  const auto found = of_client->second.find(Canonical(peer));
  if (found == of_client->second.end()) return false;
  return on_channel ? now_us - found->second.channel_us < kChannelUs
                    : now_us - found->second.permission_us < kPermissionUs;
}

}  // namespace turnpike::sim
