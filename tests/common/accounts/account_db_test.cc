#include "common/accounts/account_db.h"

#include <doctest/doctest.h>

#include "tests/support/temp_directory.h"

namespace turnpike {
namespace {

constexpr WallTime kNow(std::chrono::seconds(1'800'000'000));

ApiAccount Acme() {
  return {.sid = "AC" + std::string(32, 'a'),
          .account = "acme'; DROP TABLE account; --",
          .name = "Acme",
          .secrets = {{SecretKind::kToken, Sha256("one")}}};
}

TEST_CASE("accounts are kept, and another connection sees them") {
  const TempDirectory directory;
  auto writer = AccountDb::Open(directory.file("api.db"));
  REQUIRE(writer);
  auto reader = AccountDb::Open(directory.file("api.db"));
  REQUIRE(reader);
  const int64_t before = (*reader)->Version();
  REQUIRE((*writer)->Add(Acme(), kNow));
  CHECK((*reader)->Version() != before);
  CHECK((*reader)->List() == std::vector{Acme()});
  CHECK((*writer)->Add(Acme(), kNow).error().contains("already"));
}

TEST_CASE("a rotated token is good until its grace ends, and another account's is not touched") {
  const TempDirectory directory;
  auto db = AccountDb::Open(directory.file("api.db"));
  ApiAccount other = Acme();
  other.sid = "AC" + std::string(32, 'b');
  other.secrets = {{SecretKind::kToken, Sha256("other")}};
  REQUIRE((*db)->Add(Acme(), kNow));
  REQUIRE((*db)->Add(other, kNow));
  const auto hour = std::chrono::hours(1);
  REQUIRE((*db)->Rotate(Acme().sid, {SecretKind::kToken, Sha256("two")}, kNow, hour));
  const auto accounts = (*db)->List();
  REQUIRE(accounts);
  const ApiAccount& acme = accounts->at(0);
  CHECK(Proves(acme, SecretKind::kToken, Sha256("two"), kNow + hour));
  CHECK(Proves(acme, SecretKind::kToken, Sha256("one"), kNow + hour / 2));
  CHECK_FALSE(Proves(acme, SecretKind::kToken, Sha256("one"), kNow + hour));
  CHECK(accounts->at(1) == other);
}

TEST_CASE("an account is disabled and enabled; an unknown one is a sentence") {
  const TempDirectory directory;
  auto db = AccountDb::Open(directory.file("api.db"));
  REQUIRE((*db)->Add(Acme(), kNow));
  REQUIRE((*db)->SetDisabled(Acme().sid, true));
  CHECK((*db)->List()->at(0).disabled);
  REQUIRE((*db)->SetDisabled(Acme().sid, false));
  CHECK_FALSE((*db)->List()->at(0).disabled);
  CHECK((*db)->SetDisabled("ACx", true).error().contains("no account ACx"));
  CHECK((*db)->Rotate("ACx", {}, kNow, {}).error().contains("no account ACx"));
}

TEST_CASE("a database that cannot be opened is a sentence with its name") {
  const auto db = AccountDb::Open("/nonexistent/api.db");
  REQUIRE_FALSE(db);
  CHECK(db.error().contains("/nonexistent/api.db"));
}

}  // namespace
}  // namespace turnpike
