#include "common/accounts/account.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"

namespace turnpike {
namespace {

TEST_CASE("SIDs and secrets are 128 random bits") {
  SeededRandom random(1);
  const std::string sid = NewSid("AC", random);
  CHECK(IsSid("AC", sid));
  CHECK(NewSid("AC", random) != sid);
  CHECK(NewSecret(random).size() == 32);
  CHECK_FALSE(IsSid("AC", sid + "0"));
  CHECK_FALSE(IsSid("UT", sid));
  CHECK_FALSE(IsSid("AC", "AC" + std::string(31, '0') + "g"));
}

TEST_CASE("a secret proves its kind alone, until it expires") {
  const WallTime now(std::chrono::seconds(1'000));
  const ApiAccount account{.sid = "",
                           .account = "acme",
                           .name = "",
                           .secrets = {{SecretKind::kToken, Sha256("new")},
                                       {SecretKind::kToken, Sha256("old"), now},
                                       {SecretKind::kKey, Sha256("key")}}};
  CHECK(Proves(account, SecretKind::kToken, Sha256("new"), now));
  CHECK_FALSE(Proves(account, SecretKind::kToken, Sha256("old"), now));
  CHECK(Proves(account, SecretKind::kToken, Sha256("old"), now - std::chrono::seconds(1)));
  CHECK_FALSE(Proves(account, SecretKind::kToken, Sha256("key"), now));
  CHECK(Proves(account, SecretKind::kKey, Sha256("key"), now));
  CHECK_FALSE(Proves(account, SecretKind::kToken, Sha256(""), now));
}

TEST_CASE("accounts and labels are what usernames can carry") {
  CHECK(CheckAccountName("acme"));
  CHECK_FALSE(CheckAccountName(""));
  CHECK_FALSE(CheckAccountName("a:b"));
  CHECK(CheckLabel("a:b"));
  CHECK(CheckLabel("caf\xC3\xA9 \\ \xF0\x9F\x93\x9E"));
  CHECK_FALSE(CheckLabel("a\r\nb"));
  CHECK_FALSE(CheckLabel("\xFF"));          // no UTF-8: JSON could not give it back
  CHECK_FALSE(CheckLabel("\xE2\x80\xAE"));  // U+202E, which turns around what follows
  CHECK_FALSE(CheckLabel(std::string(129, 'x')));
}

}  // namespace
}  // namespace turnpike
