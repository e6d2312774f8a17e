// Accounts of the API: who may mint tokens and read usage, and what proves it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/base/time.h"

namespace turnpike {

// SecretKind tells what a secret opens: an auth token all of an account's API, a key only the plain
// REST convention, which mints credentials.
enum class SecretKind : uint8_t { kToken, kKey };

// AccountSecret is kept as a hash. Secrets are made by NewSecret: what has 128 random bits needs no
// slow hash, and a request costs a microsecond.
struct AccountSecret {
  SecretKind kind = SecretKind::kToken;
  Sha256Digest hash{};
  std::optional<WallTime> expires_at = {};  // not valid from then on

  friend bool operator==(const AccountSecret&, const AccountSecret&) = default;
};

// ApiAccount is one account as API clients know it.
struct ApiAccount {
  std::string sid;      // AC and 32 hexadecimal digits
  std::string account;  // who pays, as the ledger names it
  std::string name;     // for people
  bool disabled = false;
  std::vector<AccountSecret> secrets = {};

  friend bool operator==(const ApiAccount&, const ApiAccount&) = default;
};

// IsSid says whether `text` is `prefix` (two letters) and 32 hexadecimal digits.
bool IsSid(std::string_view prefix, std::string_view text);

// NewSid returns a random one. NewSecret returns 32 random hexadecimal digits.
std::string NewSid(std::string_view prefix, RandomSource& random);
std::string NewSecret(RandomSource& random);

// CheckAccountName says with a predicate why `account` cannot pay for time-limited credentials,
// whose usernames separate it from a label by a colon.
std::expected<void, std::string> CheckAccountName(std::string_view account);

// CheckLabel says with a predicate why `label` cannot stand in a username.
std::expected<void, std::string> CheckLabel(std::string_view label);

// Proves says whether `secret` is one of `account`'s of that kind and valid at `now`. It takes the
// same time whichever it is.
bool Proves(const ApiAccount& account, SecretKind kind, const Sha256Digest& secret, WallTime now);

}  // namespace turnpike
