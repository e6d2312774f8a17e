#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

namespace {

CoreWorld::Settings WithAlternates() {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.alternate_servers = {
      {.ip = Ip("5.5.5.8"), .port = 3478, .tls_port = 5349, .domain = "two.example"},
      {.ip = Ip("2600::8"), .port = 3478, .tls_port = 5349, .domain = {}},
      {.ip = Ip("5.5.5.9"), .port = 80, .tls_port = 443, .domain = {}}};
  return settings;
}

CoreWorld::Settings Redirecting() {
  CoreWorld::Settings settings = WithAlternates();
  settings.options.redirect_always = true;
  return settings;
}

std::string AlternateOf(const Reply& reply) {
  const auto value = reply.view().Find(AttributeType::kAlternateServer);
  return value ? stun::DecodeAddress(*value)->ToString() : "";
}

}  // namespace

TEST_CASE("8489_10_a_proven_client_is_sent_to_a_server_of_its_family_by_turns") {
  CoreWorld world(Redirecting());
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  // Request checks that the answer proves itself; the challenge before it redirects nobody.
  const Reply first = alice.Request(Method::kAllocate, RequestedUdp);
  CHECK(first.code() == 300);
  CHECK(AlternateOf(first) == "5.5.5.8:3478");
  CHECK(first.Text(AttributeType::kAlternateDomain) == "two.example");
  const Reply second = alice.Request(Method::kAllocate, RequestedUdp);
  CHECK(AlternateOf(second) == "5.5.5.9:80");
  CHECK_FALSE(second.Has(AttributeType::kAlternateDomain));
  CHECK(AlternateOf(alice.Request(Method::kAllocate, RequestedUdp)) == "5.5.5.8:3478");
  TestClient bob(world, "[2a00::7]:1000", "bob", "hunter2");
  CHECK(AlternateOf(bob.Request(Method::kAllocate, RequestedUdp)) == "[2600::8]:3478");
  TestClient tls(world, "7.7.7.7:1001", "alice", "s3cret", Transport::kTls);
  CHECK(AlternateOf(tls.Request(Method::kAllocate, RequestedUdp)) == "5.5.5.9:443");
  CHECK(world.TakeLog().empty());
}

TEST_CASE("8656_7_2_a_wrong_password_or_a_broken_request_gets_its_own_error") {
  CoreWorld world(Redirecting());
  TestClient mallory(world, "7.7.7.7:1000", "alice", "guess");
  CHECK(mallory.Request(Method::kAllocate, RequestedUdp).code() == 401);
  TestClient alice(world, "7.7.7.7:1001", "alice", "s3cret");
  CHECK(alice.Request(Method::kAllocate).code() == 400);
}

TEST_CASE("8489_10_a_draining_server_sends_on_new_clients_and_keeps_those_that_it_has") {
  CoreWorld world(WithAlternates());
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  world.server().Drain(world.now());
  // On the 5-tuple of a live allocation there is no redirection, whatever is asked.
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 437);
  CHECK(alice.Refresh(600).code() == 0);
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 300);
  CHECK(world.TakeLog().empty());
}

TEST_CASE("8489_14_15_a_client_without_an_alternate_of_its_family_is_dealt_with_here") {
  CoreWorld::Settings settings = Redirecting();
  settings.options.alternate_servers = {
      {.ip = Ip("2600::8"), .port = 3478, .tls_port = 5349, .domain = {}}};
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  world.server().Drain(world.now());
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 508);
}

TEST_CASE("8489_12_binding_is_never_redirected") {
  CoreWorld world(Redirecting());
  TestClient client(world, "7.7.7.7:1000", "", "");
  const auto reply =
      client.Exchange(client.BuildPlain(stun::Class::kRequest, Method::kBinding, {}));
  REQUIRE(reply);
  CHECK(reply->success());
}

}  // namespace turnpike
