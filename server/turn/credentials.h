// Who may allocate: static users and time-limited credentials.
//
// Time-limited credentials follow the convention of coturn's REST API, which WebRTC back ends speak:
// username = expiry[:account[:label]], password = base64(HMAC-SHA1(secret, username)), where `expiry`
// is Unix seconds. Several secrets may be valid at once, newest first, so that they can be rotated.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/time.h"
#include "common/stun/integrity.h"

namespace turnpike {

// CredentialKeys are what is kept of a password (RFC 8489 §18.5.1): keys, never the password.
struct CredentialKeys {
  std::array<uint8_t, 16> md5{};
  stun::Sha256Mac sha256{};
};

// Principal is who a username stands for.
struct Principal {
  std::string username;
  std::string account;
  std::string label;
  std::optional<WallTime> expires_at;  // time-limited credentials only
};

// CredentialError says why a username leads nowhere: the reason label of
// turn_auth_failures_total.
enum class CredentialError : uint8_t {
  kUnknownUser,
  kExpired,     // a time-limited name whose time has passed
  kTooLong,     // username, account or label beyond what a session record holds
};

// Candidate is a principal with the keys that would prove it: one pair per valid secret.
struct Candidate {
  Principal principal;
  std::vector<CredentialKeys> keys;
};

// Credentials knows every static user and every secret of one realm. Immutable once built.
class Credentials {
 public:
  struct User {
    std::string username;
    std::string password;
    std::string account;  // empty: the username is the account
    std::string label;
  };

  // Credentials derives all keys at once; passwords are not kept. Secrets are (they must be).
  Credentials(std::string realm, const std::vector<User>& users, std::vector<std::string> secrets);

  // Lookup finds the principal of `username` at wall time `now`. A static user wins over a
  // time-limited reading of the same name.
  std::expected<Candidate, CredentialError> Lookup(std::string_view username, WallTime now) const;

  // LookupUserhash finds a static user by USERHASH (RFC 8489 §14.4).
  std::expected<Candidate, CredentialError> LookupUserhash(ByteSpan userhash) const;

  // has_secrets says whether time-limited names are in use: then USERHASH cannot be offered, since
  // such names are not known beforehand.
  bool has_secrets() const { return !secrets_.empty(); }

 private:
  struct Known {
    Principal principal;
    CredentialKeys keys;
  };

  std::string realm_;
  std::unordered_map<std::string, Known> users_;
  std::unordered_map<std::string, std::string> username_by_userhash_;
  std::vector<std::string> secrets_;
};

// TimeLimitedPassword is base64(HMAC-SHA1(secret, username)): what `turnpike token` prints.
std::string TimeLimitedPassword(std::string_view secret, std::string_view username);

}  // namespace turnpike
