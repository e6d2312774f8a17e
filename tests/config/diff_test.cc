#include "config/diff.h"

#include <doctest/doctest.h>

#include <set>

#include "config/keys.h"
#include "tests/config/support.h"

namespace turnpike::config {
namespace {

Config Read(std::string_view text) {
  auto config = Parse(text, "turnpike.yaml", TestEnvironment);
  REQUIRE_MESSAGE(config.has_value(), Problems(text));
  return *config;
}

std::string Differences(std::string_view before, std::string_view after) {
  std::string lines;
  for (const Change& change : Diff(Read(before), Read(after))) {
    lines += change.ToString() + (change.needs_restart ? " (restart)\n" : "\n");
  }
  return lines;
}

}  // namespace

TEST_CASE("a diff names keys, values and entries, and never shows a secret") {
  CHECK(Differences(kUser, kUser).empty());
  const std::string lines = Differences(
      "workers: 2\n"
      "auth:\n"
      "  secrets: [old-secret, kept-secret]\n"
      "  users: [{username: alice, password: s3cret}, {username: bob, password: hunter2}]\n"
      "relay: {peers: {allow: [10.1.0.0/16]}}\n",
      "workers: 4\n"
      "auth:\n"
      "  secrets: [new-secret, kept-secret]\n"
      "  users: [{username: alice, password: other}, {username: carol, password: hunter2}]\n"
      "relay: {peers: {allow: [10.2.0.0/16]}}\n"
      "limits: {max_lifetime: 2h}\n"
      "listen: [{transport: udp, address: 192.0.2.1, port: 3478}]\n");
  CHECK(lines ==
        "workers: 2 -> 4 (restart)\n"
        "listen: +udp/192.0.2.1:3478 -udp/0.0.0.0:3478 -udp/[::]:3478 -tcp/0.0.0.0:3478 "
        "-tcp/[::]:3478 (restart)\n"
        "relay.peers.allow: +10.2.0.0/16 -10.1.0.0/16\n"
        "auth.secrets: 1 added, 1 removed\n"
        "auth.users: ~alice +carol -bob\n"
        "limits.max_lifetime: 1h -> 2h\n");
}

TEST_CASE("what needs no restart is taken over, and nothing else") {
  const Config before = Read(kUser);
  const Config after = Read(
      "workers: 4\n"
      "log: {level: debug}\n"
      "auth: {users: [{username: bob, password: hunter2}]}\n");
  const Config taken = TakeReloadable(before, after);
  CHECK(taken.workers == before.workers);
  CHECK(taken.log.level == LogLevel::kDebug);
  CHECK(taken.auth.users == after.auth.users);
  const auto left = Diff(taken, after);
  REQUIRE(left.size() == 1);
  CHECK(left[0].key == "workers");
}

TEST_CASE("secrets that only change places are a change") {
  CHECK(Differences("auth: {secrets: [a, b]}", "auth: {secrets: [b, a]}") ==
        "auth.secrets: another order\n");
}

TEST_CASE("what a running server cannot change needs a restart") {
  std::set<std::string_view> restart;
  for (const Key& key : Keys()) {
    if (key.needs_restart) restart.insert(key.name);
  }
  for (const char* key : {"listen", "workers", "relay.addresses", "metering.directory"}) {
    CHECK_MESSAGE(restart.contains(key), key);
  }
  for (const char* key : {"auth.users", "auth.secrets", "limits.max_lifetime", "relay.peers.deny",
                          "log.level", "tls.certificate", "alternate_servers"}) {
    CHECK_MESSAGE(!restart.contains(key), key);
  }
}

}  // namespace turnpike::config
