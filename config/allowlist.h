// What a firewall between clients, or peers, and the server must let through.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.h"

namespace turnpike::config {

// AllowRow is one line of the table that an end user's IT needs. All of it is about packets from
// their network to the server, and the answers to them.
struct AllowRow {
  std::string edge;
  bool is_tcp = false;  // else UDP
  IpRange range;
  PortRange ports;
  std::string purpose;

  friend bool operator==(const AllowRow&, const AllowRow&) = default;
};

// Allowlist derives the table from what a configuration says; equal lines stand there once.
// `addresses` are the server's public ones: for whoever knows better than the file, or empty; then
// they are those of relay.addresses. It fails with a sentence when neither names any.
std::expected<std::vector<AllowRow>, std::string> Allowlist(
    const Config& config, const std::vector<IpAddress>& addresses);

}  // namespace turnpike::config
