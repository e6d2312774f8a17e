// What an operator reads when the server starts: what it will do, and what they may have missed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/net/transport_address.h"
#include "config/config.h"
#include "server/turn/options.h"

namespace turnpike {

// HostLimits is what the kernel allows this process, and what else it finds on the host.
struct HostLimits {
  uint64_t descriptors = 0;
  std::optional<uint64_t> receive_buffer;  // bytes of one socket; nullopt: it does not tell
  std::string backup_fault = {};           // why metering.backup cannot work; empty: it can
};

// Warnings lists what an operator should know although the server starts: each a sentence.
std::vector<std::string> Warnings(const config::Config& config,
                                  const std::vector<RelayAddress>& relays,
                                  const HostLimits& limits);

// DescribeLimits names the keys of `limits` that differ from their defaults, with their values.
std::string DescribeLimits(const config::Config& config);

// DescribeRelays names bound addresses, and behind `as` what clients are told.
std::string DescribeRelays(const std::vector<RelayAddress>& relays);

// JoinTexts puts a blank between them.
std::string JoinTexts(const std::vector<std::string>& parts);

}  // namespace turnpike
