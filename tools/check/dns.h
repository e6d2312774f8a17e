// Whether a resolver passes on where a client is: EDNS Client Subnet (RFC 7871).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/net/transport_address.h"

namespace turnpike::check {

// Kinds of records that are asked for (RFC 1035 §3.2.2).
enum class RecordType : uint16_t { kA = 1, kTxt = 16 };

// Subnet is the value of an EDNS Client Subnet option (RFC 7871 §6). A scope of 0 says that the
// answer does not depend on the client's network.
struct Subnet {
  IpAddress address;
  uint8_t source_prefix = 0;
  uint8_t scope_prefix = 0;
};

// DnsAnswer is what came back.
struct DnsAnswer {
  uint8_t code = 0;                // RCODE: 0 well, 3 no such name (RFC 1035 §4.1.1)
  bool edns = false;               // the resolver speaks EDNS at all
  std::optional<Subnet> subnet;    // the option, where the resolver returned one
  std::vector<std::string> texts;  // of TXT records
};

// BuildQuery makes a query that names `client`'s network: its first 24 bits, or 56 for IPv6. It
// fails for what is no domain name.
std::expected<std::vector<uint8_t>, std::string> BuildQuery(uint16_t id, std::string_view name,
                                                            RecordType type,
                                                            const IpAddress& client);

// ParseAnswer is nullopt for what is not an answer to the query of that id.
std::optional<DnsAnswer> ParseAnswer(ByteSpan bytes, uint16_t id);

// AskResolver sends such a query over UDP and waits for the answer. It fails with a sentence.
std::expected<DnsAnswer, std::string> AskResolver(const TransportAddress& resolver,
                                                  std::string_view name, RecordType type,
                                                  Duration patience);

// Conclude says in a sentence what an answer to a query for A records tells.
std::string Conclude(const DnsAnswer& answer);

// FirstResolver returns the first name server of a resolv.conf(5), or nullopt.
std::optional<TransportAddress> FirstResolver(std::string_view resolv_conf);

}  // namespace turnpike::check
