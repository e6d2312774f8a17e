// An HTTP client for short messages to addresses that others choose.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "common/net/transport_address.h"

namespace turnpike {

// HttpSend is one message.
struct HttpSend {
  std::string url;  // http[s]://HOST[:PORT][/PATH][?QUERY]
  std::string method;
  std::string headers;  // further whole lines, each with its \r\n
  std::string body;
};

// MayReach says whether an address may be connected with. It is asked for the very address that is
// then used: a name that resolves differently a moment later changes nothing.
using MayReach = std::function<bool(const IpAddress&)>;

// IsHttpUrl says whether `url` names a host, and a port if any, that a message could be sent to.
bool IsHttpUrl(std::string_view url);

// SendHttp sends `message` and returns the status of the answer, whose rest it does not read. An
// https server's certificate must be of an authority in the PEM file `authorities`, which is read
// each time. Redirects are not followed. No single step of it takes longer than 5 seconds; names
// are looked up in the host's way. It fails with a sentence.
std::expected<int, std::string> SendHttp(const HttpSend& message, const MayReach& may_reach,
                                         const std::string& authorities);

}  // namespace turnpike
