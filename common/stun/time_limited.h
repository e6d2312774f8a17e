// Time-limited credentials, the convention of coturn's REST API.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/bytes.h"
#include "common/stun/integrity.h"

namespace turnpike {

// TimeLimitedCredential is what a WebRTC client is handed.
struct TimeLimitedCredential {
  std::string username;
  std::string password;
};

// Mint makes the credential of `account` (without a colon; `label` may be empty) that is good until
// `expiry`, in Unix seconds: username = expiry:account[:label], password = base64(HMAC-SHA1(secret,
// username)).
inline TimeLimitedCredential Mint(std::string_view secret, std::string_view account,
                                  std::string_view label, int64_t expiry) {
  std::string username = std::to_string(expiry) + ":" + std::string(account);
  if (!label.empty()) username += ":" + std::string(label);
  const stun::Sha1Mac mac = stun::HmacSha1(AsBytes(secret), {AsBytes(username)});
  return {std::move(username), stun::Base64(mac)};
}

}  // namespace turnpike
