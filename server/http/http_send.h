// An HTTP client for short messages to addresses that others choose.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "common/net/transport_address.h"

namespace turnpike {

// HttpSend is one message.
struct HttpSend {
  std::string url;  // http://HOST[:PORT][/PATH][?QUERY]
  std::string method;
  std::string headers;  // further whole lines, each with its \r\n
  std::string body;
};

// MayReach says whether an address may be connected with. It is asked for the very address that is
// then used: a name that resolves differently a moment later changes nothing.
using MayReach = std::function<bool(const IpAddress&)>;

// SendHttp sends `message` over HTTP without TLS and returns the status of the answer, whose rest
// it does not read. Redirects are not followed. It takes at most about 15 seconds, and looks names
// up in the host's way. It fails with a sentence.
std::expected<int, std::string> SendHttp(const HttpSend& message, const MayReach& may_reach);

}  // namespace turnpike
