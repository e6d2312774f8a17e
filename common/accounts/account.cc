#include "common/accounts/account.h"

#include <algorithm>
#include <array>

#include "common/base/log.h"

namespace turnpike {
namespace {

constexpr size_t kMaxNameBytes = 128;  // as session records hold them

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool IsEqual(const Sha256Digest& a, const Sha256Digest& b) {
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

bool IsSid(std::string_view prefix, std::string_view text) {
  return text.size() == prefix.size() + 32 && text.starts_with(prefix) &&
         std::ranges::all_of(text.substr(prefix.size()), IsHexDigit);
}

std::string NewSecret(RandomSource& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<uint8_t, 16> bytes{};
  random.Fill(bytes);
  std::string text;
  for (const uint8_t byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

std::string NewSid(std::string_view prefix, RandomSource& random) {
  return std::string(prefix) + NewSecret(random);
}

std::expected<void, std::string> CheckLabel(std::string_view label) {
  if (label.size() > kMaxNameBytes) return std::unexpected("has more than 128 bytes");
  std::string shown(label);
  std::ranges::replace(shown, '\\', '/');  // the one printable character that is escaped
  if (EscapeText(shown) != shown) {
    return std::unexpected("has control characters or is no UTF-8; use printable text");
  }
  return {};
}

std::expected<void, std::string> CheckAccountName(std::string_view account) {
  if (account.empty()) return std::unexpected("is empty; an account needs a name");
  if (account.contains(':')) {
    return std::unexpected("has a colon, which separates account and label in usernames");
  }
  return CheckLabel(account);
}

bool Proves(const ApiAccount& account, SecretKind kind, const Sha256Digest& secret, WallTime now) {
  bool proves = false;
  for (const AccountSecret& each : account.secrets) {
    const bool same = IsEqual(each.hash, secret);
    proves |= same && each.kind == kind && (!each.expires_at || now < *each.expires_at);
  }
  return proves;
}

}  // namespace turnpike
