// HTTP Basic authentication (RFC 7617).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

struct BasicCredentials {
  std::string user;
  std::string password;
};

// ReadBasic reads the value of an Authorization header; nullopt: it is of another scheme, or no
// base64 with a colon in it.
std::optional<BasicCredentials> ReadBasic(std::string_view authorization);

}  // namespace turnpike
