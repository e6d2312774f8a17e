// Who may send to whom, seen from the wires: only what a client asked for, and not for longer than
// the RFC gives it. Bytes of others that cross the relay would be billed to somebody who never
// wanted them, so they are an accountant's business.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace turnpike::sim {

// PermissionWatch remembers when each client last asked for each peer's IP address. It believes the
// server generously: a request counts from its arrival, whether it was granted or not.
class PermissionWatch {
 public:
  using Bytes = std::span<const uint8_t>;
  // Ip is an address in network order, 4 or 16 bytes.
  using Ip = std::vector<uint8_t>;

  // AddAlias says that `bound` and `advertised` are the same host.
  void AddAlias(Ip bound, Ip advertised) { aliases_[std::move(bound)] = std::move(advertised); }

  // SawRequest reads a message of `client`: CreatePermission and ChannelBind leave a trace.
  void SawRequest(const std::string& client, Bytes message, int64_t now_us);

  // MayRelay says whether application data between `client` and `peer` may cross the relay now: for
  // 300 s after CreatePermission or ChannelBind (RFC 8656 §9), and from the client on a channel for
  // 600 s after ChannelBind (§12).
  bool MayRelay(const std::string& client, const Ip& peer, bool on_channel, int64_t now_us) const;

 private:
  struct Asked {
    int64_t permission_us = INT64_MIN / 2;
    int64_t channel_us = INT64_MIN / 2;
  };

  Ip Canonical(const Ip& ip) const;

  std::map<Ip, Ip> aliases_;
  std::map<std::string, std::map<Ip, Asked>> asked_;
};

}  // namespace turnpike::sim
