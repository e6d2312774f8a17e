// One GET over HTTP/1.1, without TLS: for pages on this host or its network.
#pragma once

#include <expected>
#include <string>

namespace turnpike {

// HttpGet fetches `http://HOST[:PORT]/PATH` and returns the body of a 200. It fails with a sentence
// on any other answer, after 10 seconds of silence, and for `https`, which it does not speak.
std::expected<std::string, std::string> HttpGet(const std::string& url);

}  // namespace turnpike
