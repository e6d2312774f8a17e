#include "server/turn/credentials.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "common/metering/usage.h"
#include "tests/support/hex.h"

namespace turnpike {
namespace {

constexpr std::string_view kRealm = "turnpike.example";
constexpr int64_t kExpiry = 1795210000;  // as a name spells it

WallTime At(int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
const WallTime kNow = At(kExpiry - 60);

Credentials Make(std::vector<std::string> secrets) {
  return Credentials(std::string(kRealm),
                     {{"alice", "s3cret", "acme", "web"}, {"bob", "hunter2", "", ""}},
                     std::move(secrets));
}

CredentialKeys KeysOf(std::string_view username, std::string_view password) {
  return {stun::LongTermKeyMd5(username, kRealm, password),
          stun::LongTermKeySha256(username, kRealm, password)};
}

void CheckKeys(const CredentialKeys& keys, const CredentialKeys& expected) {
  CHECK(keys.md5 == expected.md5);
  CHECK(keys.sha256 == expected.sha256);
}

std::string NumberOf(CredentialError error) { return std::to_string(static_cast<int>(error)); }

void CheckRefused(const Credentials& credentials, std::string_view username, WallTime now,
                  CredentialError expected) {
  CAPTURE(std::string(username));
  const auto found = credentials.Lookup(username, now);
  REQUIRE(!found.has_value());
  CHECK(NumberOf(found.error()) == NumberOf(expected));
}

TEST_CASE("8489_9_2_3 static users are found with the keys of their password") {
  const Credentials credentials = Make({});
  const auto alice = credentials.Lookup("alice", kNow);
  REQUIRE(alice.has_value());
  CHECK(alice->principal.username == "alice");
  CHECK(alice->principal.account == "acme");
  CHECK(alice->principal.label == "web");
  CHECK(!alice->principal.expires_at.has_value());
  REQUIRE(alice->keys.size() == 1);
  CheckKeys(alice->keys[0], KeysOf("alice", "s3cret"));
  CHECK(std::ranges::equal(alice->keys[0].md5, FromHex("e08099990c5e0a8ad07beae40e35db5d")));

  const auto bob = credentials.Lookup("bob", kNow);
  REQUIRE(bob.has_value());
  CHECK_MESSAGE(bob->principal.account == "bob", "without an account the username pays");
  CHECK(bob->principal.label.empty());
}

TEST_CASE("unknown names lead nowhere") {
  const Credentials credentials = Make({"north"});
  for (const char* name : {"", "Alice", "alice ", "carol", "acme:1795210000"}) {
    CheckRefused(credentials, name, kNow, CredentialError::kUnknownUser);
  }
}

TEST_CASE("of users with the same name the first counts") {
  const Credentials credentials("r", {{"a", "1", "first", ""}, {"a", "2", "second", ""}}, {});
  const auto found = credentials.Lookup("a", kNow);
  REQUIRE(found.has_value());
  CHECK(found->principal.account == "first");
  CHECK(found->keys[0].md5 == stun::LongTermKeyMd5("a", "r", "1"));
}

TEST_CASE("time-limited names: the password is base64(HMAC-SHA1(secret, username))") {
  CHECK(TimeLimitedPassword("north", "1795210000:acme:web") == "Lyu1e79H8h+YyIM4dAGXRTRYF9s=");

  const Credentials credentials = Make({"north"});
  const auto found = credentials.Lookup("1795210000:acme:web", kNow);
  REQUIRE(found.has_value());
  CHECK(found->principal.username == "1795210000:acme:web");
  CHECK(found->principal.account == "acme");
  CHECK(found->principal.label == "web");
  REQUIRE(found->principal.expires_at.has_value());
  CHECK(*found->principal.expires_at == At(kExpiry));
  REQUIRE(found->keys.size() == 1);
  CHECK(std::ranges::equal(found->keys[0].md5, FromHex("2af99d55c044356646784a68c6bb43e5")));
  CHECK(std::ranges::equal(
      found->keys[0].sha256,
      FromHex("edf3bb79e7ef92ebd750e52d6946dd2e06185f0ff5a691af0fa97cd5bcd07b26")));
}

TEST_CASE("time-limited names: account and label are cut at the first two colons") {
  struct Row {
    std::string_view username, account, label;
  };
  const Credentials credentials = Make({"north"});
  for (const Row& row : std::vector<Row>{
           {"1795210000:acme", "acme", ""},
           {"1795210000:acme:", "acme", ""},
           {"1795210000:acme:web:eu:7", "acme", "web:eu:7"},
           {"1795210000:acme::", "acme", ":"},
           {"1795210000", "default", ""},
           {"1795210000:", "default", ""},
           {"1795210000::web", "default", "web"},
           {"0001795210000:acme", "acme", ""},
           {"1795210000:a,b=\"c\"\n:\xff", "a,b=\"c\"\n", "\xff"},
       }) {
    CAPTURE(std::string(row.username));
    const auto found = credentials.Lookup(row.username, kNow);
    REQUIRE(found.has_value());
    CHECK(found->principal.account == row.account);
    CHECK(found->principal.label == row.label);
    CHECK(found->principal.username == row.username);
    CheckKeys(found->keys[0], KeysOf(row.username, TimeLimitedPassword("north", row.username)));
  }
}

TEST_CASE("time-limited names: the expiry is digits that fit, and nothing else") {
  const Credentials credentials = Make({"north"});
  for (const char* name :
       {":acme", "-1:acme", "+1795210000:acme", " 1795210000:acme", "1795210000 :acme",
        "0x6b00a950:acme", "1795210000.5:acme", "1.8e9:acme", "18446744073709551616:acme",
        "18446744073709551615:acme", "9223372036855:acme", "99999999999999999999999999:acme"}) {
    CheckRefused(credentials, name, kNow, CredentialError::kUnknownUser);
  }
  CHECK(credentials.Lookup("9223372036854:acme", kNow).has_value());
}

TEST_CASE("time-limited names are valid until the second they name begins") {
  const Credentials credentials = Make({"north"});
  const auto expiry = At(kExpiry);
  CHECK(credentials.Lookup("1795210000:acme", expiry - std::chrono::microseconds(1)).has_value());
  CheckRefused(credentials, "1795210000:acme", expiry, CredentialError::kExpired);
  CheckRefused(credentials, "0:acme", kNow, CredentialError::kExpired);
  CheckRefused(credentials, "1795210000", expiry, CredentialError::kExpired);
}

TEST_CASE("rotation: every secret yields a candidate's keys, newest first") {
  const Credentials credentials = Make({"new", "old"});
  const auto found = credentials.Lookup("1795210000:acme", kNow);
  REQUIRE(found.has_value());
  REQUIRE(found->keys.size() == 2);
  const std::string_view name = "1795210000:acme";
  CheckKeys(found->keys[0], KeysOf(name, TimeLimitedPassword("new", name)));
  CheckKeys(found->keys[1], KeysOf(name, TimeLimitedPassword("old", name)));
}

TEST_CASE("without secrets no time-limited name is valid") {
  CHECK(!Make({}).has_secrets());
  CHECK(Make({"north"}).has_secrets());
  CheckRefused(Make({}), "1795210000:acme", kNow, CredentialError::kUnknownUser);
}

TEST_CASE("a static user wins over a time-limited reading, and does not expire") {
  const Credentials credentials("r", {{"1795210000:acme", "pw", "static", ""}}, {"north"});
  const auto found = credentials.Lookup("1795210000:acme", At(kExpiry + 1));
  REQUIRE(found.has_value());
  CHECK(found->principal.account == "static");
  REQUIRE(found->keys.size() == 1);
  CHECK(found->keys[0].md5 == stun::LongTermKeyMd5("1795210000:acme", "r", "pw"));
}

TEST_CASE("names beyond a session's record are refused, never cut") {
  const Credentials credentials = Make({"north"});
  const std::string account(kMaxAccountBytes, 'a');
  const std::string label(kMaxLabelBytes, 'l');
  CHECK(credentials.Lookup("1795210000:" + account + ":" + label, kNow).has_value());
  for (const std::string& name :
       {"1795210000:" + account + "a", "1795210000:a:" + label + "l",
        std::string(kMaxUsernameBytes + 1, '1'), "1795210000" + std::string(600, ':')}) {
    CheckRefused(credentials, name, kNow, CredentialError::kTooLong);
  }
  const std::string long_name(kMaxAccountBytes + 1, 'u');
  const Credentials static_user("r", {{long_name, "pw", "", ""}}, {});
  CheckRefused(static_user, long_name, kNow, CredentialError::kTooLong);
  const auto by_hash = static_user.LookupUserhash(stun::Userhash(long_name, "r"));
  REQUIRE(!by_hash.has_value());
  CHECK(by_hash.error() == CredentialError::kTooLong);
}

TEST_CASE("8489_14_4 USERHASH finds static users") {
  const Credentials credentials = Make({});
  const auto found = credentials.LookupUserhash(stun::Userhash("alice", kRealm));
  REQUIRE(found.has_value());
  CHECK(found->principal.username == "alice");
  CheckKeys(found->keys[0], KeysOf("alice", "s3cret"));

  const auto elsewhere = stun::Userhash("alice", "another realm");
  const auto alice = stun::Userhash("alice", kRealm);
  for (const ByteSpan hash : {ByteSpan(elsewhere), ByteSpan(alice).first(31), ByteSpan()}) {
    const auto other = credentials.LookupUserhash(hash);
    REQUIRE(!other.has_value());
    CHECK(other.error() == CredentialError::kUnknownUser);
  }
}

}  // namespace
}  // namespace turnpike
