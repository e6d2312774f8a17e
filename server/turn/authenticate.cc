#include "server/turn/authenticate.h"

#include <algorithm>

namespace turnpike {

using stun::AttributeType;

namespace {

AuthRejection Unauthenticated(std::optional<AuthFailure> failure) {
  return {.code = 401, .challenge = true, .failure = failure};
}

// BadRequest is without REALM and NONCE: §9.2.4 says "SHOULD NOT include", and a client drops it.
AuthRejection BadRequest() {
  return {.code = 400, .challenge = false, .failure = AuthFailure::kMalformed};
}

AuthFailure FailureOf(CredentialError error) {
  switch (error) {
    case CredentialError::kUnknownUser:
      return AuthFailure::kUnknownUser;
    case CredentialError::kExpired:
      return AuthFailure::kExpired;
    case CredentialError::kTooLong:
      return AuthFailure::kTooLong;
  }
  return AuthFailure::kUnknownUser;
}

// OffersPasswordAlgorithms reads the bit of that name from a nonce cookie (§9.2, §18.1): bit 0 is
// the highest of the first base64 character behind "obMatJos2", so set in 'g' and what follows it.
bool OffersPasswordAlgorithms(std::string_view nonce) {
  constexpr std::string_view kCookie = "obMatJos2";
  if (!nonce.starts_with(kCookie) || nonce.size() < kCookie.size() + 4) return false;
  const char first = nonce[kCookie.size()];
  return (first >= 'g' && first <= 'z') || (first >= '0' && first <= '9') || first == '+' ||
         first == '/';
}

// AlgorithmOf reads one PASSWORD-ALGORITHM value (§14.12); nullopt for one that we did not offer.
// Both of ours have no parameters.
std::optional<PasswordAlgorithm> AlgorithmOf(ByteSpan value) {
  if (value.size() != 4 || LoadU16(value, 2) != 0) return std::nullopt;
  const uint16_t code = LoadU16(value, 0);
  if (code == static_cast<uint16_t>(PasswordAlgorithm::kMd5)) return PasswordAlgorithm::kMd5;
  if (code == static_cast<uint16_t>(PasswordAlgorithm::kSha256)) return PasswordAlgorithm::kSha256;
  return std::nullopt;
}

// Negotiate finds the algorithm of a request (§9.2.4, third check), and with it how to answer.
std::optional<AnswerKind> Negotiate(const stun::MessageView& request, std::string_view nonce) {
  // "If the request contains neither ..., then the request is processed as though
  // PASSWORD-ALGORITHM were MD5", and its answer carries MESSAGE-INTEGRITY.
  const AnswerKind plain;
  if (!OffersPasswordAlgorithms(nonce)) return plain;
  const auto list = request.Find(AttributeType::kPasswordAlgorithms);
  const auto choice = request.Find(AttributeType::kPasswordAlgorithm);
  if (!list && !choice) return plain;
  // "Otherwise, unless (1) ... both present, (2) PASSWORD-ALGORITHMS matches the value sent ...,
  // and (3) PASSWORD-ALGORITHM matches one of the entries": someone in between took the better one
  // out.
  if (!list || !choice || !std::ranges::equal(*list, kPasswordAlgorithms)) return std::nullopt;
  const auto algorithm = AlgorithmOf(*choice);
  if (!algorithm) return std::nullopt;
  return AnswerKind{.algorithm = *algorithm, .integrity = stun::IntegrityKind::kSha256};
}

// Proves says whether `keys` made the request's message integrity (§9.2.4, fifth check): the
// SHA-256 form decides when it is there.
bool Proves(const CredentialKeys& keys, PasswordAlgorithm algorithm,
            const stun::MessageView& request) {
  const ByteSpan key = KeyOf(keys, algorithm);
  return request.has_integrity_sha256() ? request.VerifyIntegritySha256(key)
                                        : request.VerifyIntegrity(key);
}

}  // namespace

ByteSpan KeyOf(const CredentialKeys& keys, PasswordAlgorithm algorithm) {
  if (algorithm == PasswordAlgorithm::kSha256) return keys.sha256;
  return keys.md5;
}

Authenticator::Authenticator(const TurnOptions& options, const NonceSecret& secret)
    : options_(options), secret_(secret) {}

SecurityFeatures Authenticator::features() const {
  // Time-limited names are not known beforehand, so a hash of one leads nowhere; a client that sees
  // the username anonymity bit must send the hash (§9.2.5).
  return {.password_algorithms = true, .username_anonymity = !options_.credentials->has_secrets()};
}

std::expected<Authenticated, AuthRejection> Authenticator::Check(
    const stun::MessageView& request, const FiveTuple& tuple,
    const std::optional<KnownClient>& known, Now now) const {
  // §9.2.4, first check: no message integrity: a first request.
  if (!request.has_integrity() && !request.has_integrity_sha256()) {
    return std::unexpected(Unauthenticated(std::nullopt));
  }
  // Second: "missing either the USERNAME or USERHASH, REALM, or NONCE": 400. REALM's value needs no
  // check of its own: keys are made with ours, so another one cannot prove itself.
  const auto username = request.Find(AttributeType::kUsername);
  const auto userhash = request.Find(AttributeType::kUserhash);
  const auto nonce = request.Find(AttributeType::kNonce);
  if ((!username && !userhash) || !request.Find(AttributeType::kRealm) || !nonce) {
    return std::unexpected(BadRequest());
  }
  // Third: the password algorithm.
  const auto answer = Negotiate(request, AsText(*nonce));
  if (!answer) return std::unexpected(BadRequest());

  const auto is_fresh_for = [&](const FiveTuple& of) {
    return CheckNonce(secret_, features(), of, now.mono, options_.nonce_lifetime, AsText(*nonce)) ==
           NonceStatus::kValid;
  };
  const bool stale =
      !is_fresh_for(tuple) && !(known && known->control && is_fresh_for(*known->control));
  // Sixth, and only for who passed the fourth and the fifth: "If the NONCE is no longer valid".
  const auto accept =
      [&](Principal principal,
          const CredentialKeys& keys) -> std::expected<Authenticated, AuthRejection> {
    if (stale) {
      return std::unexpected(
          AuthRejection{.code = 438, .challenge = true, .failure = AuthFailure::kStaleNonce});
    }
    return Authenticated{.principal = std::move(principal), .keys = keys, .answer = *answer};
  };

  if (known) {
    const bool same =
        username ? AsText(*username) == known->username
                 : std::ranges::equal(*userhash, stun::Userhash(known->username, options_.realm));
    if (same && Proves(*known->keys, answer->algorithm, request)) {
      return accept(Principal{.username = std::string(known->username),
                              .account = {},
                              .label = {},
                              .expires_at = std::nullopt},
                    *known->keys);
    }
  }
  // Fourth: "the value of the USERNAME or USERHASH attribute is not valid": 401.
  auto candidate = username ? options_.credentials->Lookup(AsText(*username), now.wall)
                            : options_.credentials->LookupUserhash(*userhash);
  if (!candidate) return std::unexpected(Unauthenticated(FailureOf(candidate.error())));
  // Fifth: the message integrity, under any of the secrets that are valid now.
  for (const CredentialKeys& keys : candidate->keys) {
    if (Proves(keys, answer->algorithm, request)) {
      return accept(std::move(candidate->principal), keys);
    }
  }
  return std::unexpected(Unauthenticated(AuthFailure::kBadIntegrity));
}

void Authenticator::Challenge(stun::MessageBuilder& builder, const FiveTuple& tuple,
                              MonoTime now) const {
  builder.AddText(AttributeType::kRealm, options_.realm);
  builder.AddText(AttributeType::kNonce, MakeNonce(secret_, features(), tuple, now));
  builder.AddBytes(AttributeType::kPasswordAlgorithms, kPasswordAlgorithms);
}

}  // namespace turnpike
