// Who may allocate: static users and time-limited credentials.
//
// Time-limited credentials follow the convention of coturn's REST API, which WebRTC back ends
// speak: username = expiry[:account[:label]], password = base64(HMAC-SHA1(secret, username)), where
// `expiry` is Unix seconds. Several secrets may be valid at once, newest first, so that they can be
// rotated. The account is the text between the first and the second colon, the label all that
// follows. A name without an account (`1795210000`, which existing back ends mint) is billed to
// `kDefaultAccount`.
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

// kDefaultAccount pays for time-limited names that name no account, so that no byte is without a
// payer.
inline constexpr std::string_view kDefaultAccount = "default";

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
  kUnknownUser,  // neither a static user nor `expiry[:account[:label]]` with secrets to prove it
  kExpired,      // a time-limited name whose time has passed
  kTooLong,      // username, account or label beyond what a session record holds
};

// Candidate is a principal with the keys that would prove it: one pair per valid secret.
struct Candidate {
  Principal principal;
  std::vector<CredentialKeys> keys;
};

// Credentials knows every static user and every secret of one realm. Immutable once built, so any
// thread may look up.
//
// Timing: a lookup is one probe of a hash table, and for names of the form `expiry[:...]` a fixed
// amount of hashing per secret. That a static user exists can show only in the integrity check
// which the caller then does and otherwise skips; both end in the same 401 (RFC 8489 §9.2.4). Names
// are no secrets here: clients send them in the clear.
class Credentials {
 public:
  struct User {
    std::string username;
    std::string password;
    std::string account;  // empty: the username is the account
    std::string label;
  };

  // Credentials derives all keys of `users` at once; passwords are not kept. Secrets are (they must
  // be). Of users with the same name the first counts.
  Credentials(std::string realm, const std::vector<User>& users, std::vector<std::string> secrets);

  // Lookup finds the principal of `username` at wall time `now`. A static user wins over a
  // time-limited reading of the same name. A time-limited name is valid until the second `expiry`
  // begins; its candidate has the keys of every secret, newest first, since only the integrity
  // check can tell which of them the client's back end used.
  std::expected<Candidate, CredentialError> Lookup(std::string_view username, WallTime now) const;

  // LookupUserhash finds a static user by the value of USERHASH (RFC 8489 §14.4); kUnknownUser for
  // any other value, also one of the wrong length.
  std::expected<Candidate, CredentialError> LookupUserhash(ByteSpan userhash) const;

  // has_secrets says whether time-limited names are in use: then USERHASH cannot be offered, since
  // such names are not known beforehand.
  bool has_secrets() const { return !secrets_.empty(); }

 private:
  struct Known {
    Principal principal;
    CredentialKeys keys;
  };

  // FindStatic returns the user of that name, or nullptr.
  const Known* FindStatic(std::string_view username) const;

  std::string realm_;
  std::unordered_map<std::string, Known> users_;
  std::unordered_map<std::string, std::string> username_by_userhash_;
  std::vector<std::string> secrets_;
};

// TimeLimitedPassword returns base64(HMAC-SHA1(secret, username)): what `turnpike token` prints.
std::string TimeLimitedPassword(std::string_view secret, std::string_view username);

}  // namespace turnpike
