#include "server/turn/credentials.h"

#include <charconv>
#include <utility>

#include "common/metering/usage.h"

namespace turnpike {
namespace {

CredentialKeys DeriveKeys(std::string_view username, std::string_view realm,
                          std::string_view password) {
  return {.md5 = stun::LongTermKeyMd5(username, realm, password),
          .sha256 = stun::LongTermKeySha256(username, realm, password)};
}

// TakeUntilColon returns the text before the first colon and removes it, colon included.
std::string_view TakeUntilColon(std::string_view& text) {
  const std::string_view field = text.substr(0, text.find(':'));
  text.remove_prefix(field.size() < text.size() ? field.size() + 1 : field.size());
  return field;
}

// ReadExpiry reads Unix seconds: digits only, and within what a WallTime holds.
std::optional<WallTime> ReadExpiry(std::string_view text) {
  uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(WallTime::max());
  if (error != std::errc() || end != text.data() + text.size() ||
      seconds > static_cast<uint64_t>(kLast.time_since_epoch().count())) {
    return std::nullopt;
  }
  return WallTime(std::chrono::seconds(seconds));
}

// ReadTimeLimited takes a name of the form `expiry[:account[:label]]` apart; nullopt for another
// form.
std::optional<Principal> ReadTimeLimited(std::string_view username) {
  std::string_view rest = username;
  const auto expires_at = ReadExpiry(TakeUntilColon(rest));
  if (!expires_at) return std::nullopt;
  const std::string_view account = TakeUntilColon(rest);
  return Principal{.username = std::string(username),
                   .account = std::string(account.empty() ? kDefaultAccount : account),
                   .label = std::string(rest),
                   .expires_at = expires_at};
}

bool FitsRecord(const Principal& principal) {
  return principal.username.size() <= kMaxUsernameBytes &&
         principal.account.size() <= kMaxAccountBytes && principal.label.size() <= kMaxLabelBytes;
}

}  // namespace

Credentials::Credentials(std::string realm, const std::vector<User>& users,
                         std::vector<std::string> secrets)
    : realm_(std::move(realm)), secrets_(std::move(secrets)) {
  for (const User& user : users) {
    const std::string& account = user.account.empty() ? user.username : user.account;
    const auto [known, is_new] = users_.try_emplace(user.username);
    if (!is_new) continue;
    known->second = {.principal = {.username = user.username,
                                   .account = account,
                                   .label = user.label,
                                   .expires_at = std::nullopt},
                     .keys = DeriveKeys(user.username, realm_, user.password)};
    const auto hash = stun::Userhash(user.username, realm_);
    username_by_userhash_.emplace(AsText(hash), user.username);
  }
}

const Credentials::Known* Credentials::FindStatic(std::string_view username) const {
  const auto known = users_.find(std::string(username));
  return known == users_.end() ? nullptr : &known->second;
}

std::expected<Candidate, CredentialError> Credentials::Lookup(std::string_view username,
                                                              WallTime now) const {
  if (username.size() > kMaxUsernameBytes) return std::unexpected(CredentialError::kTooLong);
  if (const Known* known = FindStatic(username)) {
    if (!FitsRecord(known->principal)) return std::unexpected(CredentialError::kTooLong);
    return Candidate{known->principal, {known->keys}};
  }
  std::optional<Principal> principal;
  if (has_secrets()) principal = ReadTimeLimited(username);
  if (!principal) return std::unexpected(CredentialError::kUnknownUser);
  if (now >= *principal->expires_at) return std::unexpected(CredentialError::kExpired);
  if (!FitsRecord(*principal)) return std::unexpected(CredentialError::kTooLong);

  Candidate candidate{std::move(*principal), {}};
  candidate.keys.reserve(secrets_.size());
  for (const std::string& secret : secrets_) {
    candidate.keys.push_back(DeriveKeys(username, realm_, TimeLimitedPassword(secret, username)));
  }
  return candidate;
}

std::expected<Candidate, CredentialError> Credentials::LookupUserhash(ByteSpan userhash) const {
  const auto username = username_by_userhash_.find(std::string(AsText(userhash)));
  if (username == username_by_userhash_.end()) {
    return std::unexpected(CredentialError::kUnknownUser);
  }
  const Known& known = *FindStatic(username->second);
  if (!FitsRecord(known.principal)) return std::unexpected(CredentialError::kTooLong);
  return Candidate{known.principal, {known.keys}};
}

std::string TimeLimitedPassword(std::string_view secret, std::string_view username) {
  return stun::Base64(stun::HmacSha1(AsBytes(secret), {AsBytes(username)}));
}

}  // namespace turnpike
