#include "server/api/access.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/api/errors.h"
#include "server/http/basic_auth.h"
#include "server/http/form.h"

namespace turnpike {
namespace {

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Admit is the last step: the account has shown who it is.
std::expected<ApiAccount, HttpAnswer> Admit(ApiService& service, const ApiAccount& account) {
  if (account.disabled) return std::unexpected(ErrorAnswer(ErrorCode::kAccountNotActive));
  const uint32_t limit = service.settings()->requests_per_second;
  if (!service.by_account().Take(account.sid, limit, service.now().mono)) {
    return std::unexpected(ErrorAnswer(ErrorCode::kTooManyRequests));
  }
  return account;
}

std::string KeyOf(const HttpRequest& request) {
  if (const std::string_view key = request.header("X-API-Key"); !key.empty()) {
    return std::string(key);
  }
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view authorization = request.header("Authorization");
  if (authorization.starts_with(kBearer)) {
    return std::string(authorization.substr(kBearer.size()));
  }
  const Form query = ReadForm(request.query);
  const auto key = query.find("key");
  return key == query.end() ? "" : key->second;
}

}  // namespace

IpAddress ClientAddress(const HttpRequest& request, const IpSet& trusted_proxies) {
  IpAddress address = request.peer;
  std::string_view rest = request.header("X-Forwarded-For");
  while (!rest.empty() && trusted_proxies.Contains(address.Unmapped())) {
    const size_t comma = rest.rfind(',');
    const size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    const auto before = IpAddress::Parse(Trimmed(rest.substr(begin)));
    if (!before) break;
    address = *before;
    rest = rest.substr(0, comma == std::string_view::npos ? 0 : comma);
  }
  return address.Unmapped();
}

std::expected<void, HttpAnswer> AllowAddress(ApiService& service, const HttpRequest& request) {
  const auto settings = service.settings();
  const std::string key = RateKey(ClientAddress(request, settings->trusted_proxies));
  if (service.by_address().Take(key, settings->requests_per_second_per_address,
                                service.now().mono)) {
    return {};
  }
  return std::unexpected(ErrorAnswer(ErrorCode::kTooManyRequests));
}

std::expected<ApiAccount, HttpAnswer> AuthorizeAccount(ApiService& service,
                                                       const HttpRequest& request,
                                                       std::string_view sid) {
  const auto given = ReadBasic(request.header("Authorization"));
  if (!given) return std::unexpected(ErrorAnswer(ErrorCode::kAuthenticate));
  static const ApiAccount kNobody{.sid = "", .account = "", .name = "", .secrets = {{}}};
  const auto accounts = service.Accounts();
  const auto found = std::ranges::find(*accounts, given->user, &ApiAccount::sid);
  const ApiAccount& account = found == accounts->end() ? kNobody : *found;
  const bool proves =
      Proves(account, SecretKind::kToken, Sha256(given->password), service.now().wall);
  if (!proves || account.sid.empty()) {
    return std::unexpected(ErrorAnswer(ErrorCode::kAuthenticate));
  }
  if (account.sid != sid) return std::unexpected(ErrorAnswer(ErrorCode::kNotFound));
  return Admit(service, account);
}

std::expected<ApiAccount, HttpAnswer> AuthorizeKey(ApiService& service,
                                                   const HttpRequest& request) {
  const std::string key = KeyOf(request);
  const WallTime now = service.now().wall;
  const auto accounts = service.Accounts();
  const ApiAccount* owner = nullptr;
  const Sha256Digest hash = Sha256(key);
  for (const ApiAccount& account : *accounts) {
    if (Proves(account, SecretKind::kKey, hash, now)) owner = &account;
  }
  if (key.empty() || owner == nullptr) {
    return std::unexpected(ErrorAnswer(ErrorCode::kAuthenticate));
  }
  return Admit(service, *owner);
}

}  // namespace turnpike
