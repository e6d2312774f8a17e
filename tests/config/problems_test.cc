// What the messages say: operators read nothing else when a server does not start.
#include <doctest/doctest.h>

#include "tests/config/support.h"

namespace turnpike::config {
namespace {

TEST_CASE("unknown keys come with their line and a guess") {
  CHECK(ProblemsBeside("region: us1\nlistne: []") ==
        "turnpike.yaml:2: unknown key `listne`; did you mean `listen`?\n");
  CHECK(ProblemsBeside("limits:\n  max_lifetme: 1h") ==
        "turnpike.yaml:2: limits: unknown key `max_lifetme`; did you mean `max_lifetime`?\n");
  CHECK(ProblemsBeside("listen:\n  - {transport: udp, prot: 3478}") ==
        "turnpike.yaml:2: listen[0]: unknown key `prot`; did you mean `port`?\n");
  CHECK(ProblemsBeside("realm: x") ==
        "turnpike.yaml:1: unknown key `realm`; did you mean `realm` in `auth`?\n");
  CHECK(ProblemsBeside("relay.ports: 1-2") ==
        "turnpike.yaml:1: unknown key `relay.ports`; did you mean `ports` in `relay`?\n");
  CHECK(ProblemsBeside("log: {colour: red}") ==
        "turnpike.yaml:1: log: unknown key `colour`; known here: level, format\n");
  CHECK(ProblemsBeside("\"listen[]\": 1").contains("unknown key `listen[]`"));
}

TEST_CASE("all problems are reported, in the order of lines") {
  CHECK(Problems("wokers: 2\n"
                 "listen:\n"
                 "  - {transport: udp, address: 0.0.0.0, port: 3478}\n"
                 "  - {transport: upd, address: 0.0.0.0, port: 70000}\n"
                 "relay: {ports: 60000-10000}\n"
                 "metering: {checkpoint: 5}\n"
                 "auth: {realm: \"\", users: [{username: alice}]}\n") ==
        "turnpike.yaml:1: unknown key `wokers`; did you mean `workers`?\n"
        "turnpike.yaml:4: listen[1].transport: upd is not one of udp, tcp, tls, dtls\n"
        "turnpike.yaml:4: listen[1].port: 70000 is not a port; use 1-65535\n"
        "turnpike.yaml:5: relay.ports: 60000-10000 is the wrong way round; did you mean "
        "10000-60000?\n"
        "turnpike.yaml:6: metering.checkpoint: 5 is not a duration: expected a whole number with a "
        "unit (ms, s, m, h, d), for example 5s\n"
        "turnpike.yaml:7: auth.realm: the value is empty; write something\n"
        "turnpike.yaml:7: auth.users[0].password: is missing; write password: and a value (text, "
        "1-4096 bytes)\n");
}

TEST_CASE("a bandwidth has a unit and is within what token buckets hold") {
  for (const char* wrong : {"5", "5 MB", "-1 Mbit/s", "0 kbit/s", "fast"}) {
    CAPTURE(wrong);
    CHECK(ProblemsBeside("limits: {session_bandwidth: " + std::string(wrong) + "}")
              .contains("is not a bandwidth; write it like 2.5 Mbit/s or 500 kbit/s, or none"));
  }
  for (const char* wrong : {"63.9 kbit/s", "33 Gbit/s"}) {
    CHECK(ProblemsBeside("limits: {session_bandwidth: " + std::string(wrong) + "}")
              .contains("is out of range; use 64 kbit/s to 32 Gbit/s, or none"));
  }
}

TEST_CASE("duplicate keys name both lines") {
  CHECK(
      ProblemsBeside("region: us1\nedge: a\nregion: us2") ==
      "turnpike.yaml:3: region: stands here a second time, after line 1; remove one of the two\n");
  CHECK(
      ProblemsBeside("listen: [{port: 3478, port: 3479}]") ==
      "turnpike.yaml:1: listen[0].port: stands here a second time, after line 1; remove one of the "
      "two\n");
}

TEST_CASE("wrong kinds of values say which kind is right") {
  CHECK(ProblemsBeside("relay: 5") ==
        "turnpike.yaml:1: relay: is a section; write its keys below it, indented\n");
  CHECK(ProblemsBeside("region: [us1]") ==
        "turnpike.yaml:1: region: is not one value; use: text, 1-64 bytes\n");
  CHECK(ProblemsBeside("region:") ==
        "turnpike.yaml:1: region: has no value; write one, or remove the key for its default\n");
  CHECK(ProblemsBeside("listen: {transport: udp}") ==
        "turnpike.yaml:1: listen: is not a list; write it as, for example, [{transport: udp, "
        "address: 0.0.0.0, port: 3478}]\n");
  CHECK(ProblemsBeside("listen: [3478]") ==
        "turnpike.yaml:1: listen[0]: is not a map of keys; write the list as, for example, "
        "[{transport: udp, address: 0.0.0.0, port: 3478}]\n");
  CHECK(ProblemsBeside("tls: {versions: 1.2}") ==
        "turnpike.yaml:1: tls.versions: is not a list; write it as, for example, [1.2]\n");
}

TEST_CASE("values out of range say the range") {
  CHECK(ProblemsBeside("metering: {slots: 1023}") ==
        "turnpike.yaml:1: metering.slots: 1023 is out of range; use 1024-4194304\n");
  CHECK(ProblemsBeside("metering: {slots: 99999999999}").contains("is out of range"));
  CHECK(ProblemsBeside("metering: {slots: -5}").contains("-5 is not a whole number"));
  CHECK(ProblemsBeside("metering: {checkpoint: 16m}") ==
        "turnpike.yaml:1: metering.checkpoint: 16m is out of range; use 100ms to 15m\n");
  CHECK(ProblemsBeside("workers: many") ==
        "turnpike.yaml:1: workers: many is not a number of workers; use auto or 1-256\n");
  CHECK(ProblemsBeside("listen: [{port: 0}]") ==
        "turnpike.yaml:1: listen[0].port: 0 is not a port; use 1-65535\n");
  CHECK(ProblemsBeside("relay: {ports: 10000}") ==
        "turnpike.yaml:1: relay.ports: 10000 is not a range of ports; use FIRST-LAST, for example "
        "10000-60000\n");
  CHECK(
      ProblemsBeside("relay: {addresses: [{bind: relay.example}]}") ==
      "turnpike.yaml:1: relay.addresses[0].bind: relay.example is not an IP address; use one such "
      "as 192.0.2.7 or 2001:db8::7\n");
  CHECK(
      ProblemsBeside("relay: {addresses: [{bind: 10.0.0.5, advertise: me}]}") ==
      "turnpike.yaml:1: relay.addresses[0].advertise: me is not an IP address; use one, or auto\n");
  CHECK(
      ProblemsBeside("relay: {peers: {allow: [10.0.0.1/8]}}") ==
      "turnpike.yaml:1: relay.peers.allow[0]: 10.0.0.1/8 is not a range of addresses: the address "
      "has bits set behind the prefix; did you mean 10.0.0.0/8?\n");
  CHECK(ProblemsBeside("tls: {versions: [1.1]}") ==
        "turnpike.yaml:1: tls.versions[0]: 1.1 is not one of 1.2, 1.3\n");
  CHECK(ProblemsBeside("region: " + std::string(65, 'x')) ==
        "turnpike.yaml:1: region: the value is 65 bytes long; use at most 64\n");
  CHECK(ProblemsBeside("region: \"a\\nb\"") ==
        "turnpike.yaml:1: region: a\\x0Ab holds a control character; use printable text on one "
        "line\n");
}

TEST_CASE("RFC 8489 limits of names hold") {
  const auto users = [](const std::string& user) { return "auth: {users: [" + user + "]}\n"; };
  CHECK(Problems(users("{username: " + std::string(508, 'u') + ", password: p, account: a}")) ==
        "");
  CHECK(Problems(users("{username: " + std::string(509, 'u') + ", password: p}")) ==
        "turnpike.yaml:1: auth.users[0].username: the value is 509 bytes long; use at most 508\n");
  CHECK(Problems(users("{username: " + std::string(200, 'u') + ", password: p}")) ==
        "turnpike.yaml:1: auth.users[0].account: is missing, and the username is too long to stand "
        "for it; add an account of at most 128 bytes\n");
  CHECK(Problems(users("{username: u, password: p, label: " + std::string(129, 'l') + "}")) ==
        "turnpike.yaml:1: auth.users[0].label: the value is 129 bytes long; use at most 128\n");
  CHECK(Problems(users("{username: u, password: p}, {username: u, password: q}")) ==
        "turnpike.yaml:1: auth.users[1].username: `u` is the name of an entry before it\n");
}

TEST_CASE("somebody must be able to authenticate") {
  CHECK(Problems("region: us1\n") ==
        "turnpike.yaml: auth: there is nobody who may allocate; add auth.secrets for time-limited "
        "credentials, or auth.users: [{username: …, password: …}]\n");
  CHECK(
      Problems("region: us1\nauth:\n  realm: x\n").starts_with("turnpike.yaml:2: auth: there is"));
  // A misspelt key is the reason then; saying more would only distract.
  CHECK(Problems("auth: {user: []}\n") ==
        "turnpike.yaml:1: auth: unknown key `user`; did you mean `users`?\n");
}

TEST_CASE("listeners and relay ports fit together") {
  CHECK(
      ProblemsBeside("listen:\n  - {port: 3478}\n  - {transport: tcp}\n  - {transport: tcp, port: "
                     "3478}\ntls: {certificate: c, key: k}") ==
      "turnpike.yaml:4: listen[2]: listens on 0.0.0.0:3478 like an entry before it; remove one, or "
      "give it another port\n");
  // A listener may stand in the relay's range: a relay that meets its port takes another one.
  CHECK(ProblemsBeside("listen:\n  - {port: 10000}") == "");
  CHECK(ProblemsBeside("listen: []") ==
        "turnpike.yaml:1: listen: holds no listener; add one, or remove the key for udp and tcp on "
        "port 3478 of all addresses\n");
}

TEST_CASE("relay addresses make sense") {
  const auto addresses = [](const std::string& list) {
    return ProblemsBeside("relay: {addresses: [" + list + "]}");
  };
  CHECK(
      addresses("{bind: 0.0.0.0}") ==
      "turnpike.yaml:1: relay.addresses[0].bind: 0.0.0.0 is not one address; name the host's own, "
      "or remove relay.addresses to have it found\n");
  CHECK(addresses("{bind: 10.0.0.5}, {bind: 10.0.0.5}") ==
        "turnpike.yaml:1: relay.addresses[1].bind: 10.0.0.5 is bound by an entry before it\n");
  CHECK(addresses("{bind: 10.0.0.5, advertise: 203.0.113.7}, "
                  "{bind: 10.0.0.6, advertise: 203.0.113.7}") ==
        "turnpike.yaml:1: relay.addresses[1].advertise: 203.0.113.7 is what peers see of an entry "
        "before it; give each its own\n");
  CHECK(addresses("{bind: 10.0.0.5, advertise: 10.0.0.6}, {bind: 10.0.0.6}") ==
        "turnpike.yaml:1: relay.addresses[1].bind: 10.0.0.6 is what peers see of an entry before "
        "it; give each its own\n");
  CHECK(addresses("{bind: 10.0.0.5, advertise: \"2001:db8::1\"}") ==
        "turnpike.yaml:1: relay.addresses[0].advertise: 2001:db8::1 is not of the family of "
        "10.0.0.5; "
        "use two IPv4 addresses or two IPv6 addresses\n");
  CHECK(addresses("{bind: 10.0.0.5, advertise: 0.0.0.0}") ==
        "turnpike.yaml:1: relay.addresses[0].advertise: 0.0.0.0 can be reached by nobody; name an "
        "address, or auto\n");
  CHECK(
      addresses("{advertise: 203.0.113.7}") ==
      "turnpike.yaml:1: relay.addresses[0].bind: is missing; write bind: and a value (IPv4 or IPv6 "
      "address)\n");
}

TEST_CASE("lifetimes and certificates fit together") {
  CHECK(ProblemsBeside("limits: {default_lifetime: 2h}") ==
        "turnpike.yaml:1: limits.default_lifetime: 2h is longer than limits.max_lifetime (1h); "
        "shorten "
        "it, or raise the other\n");
  CHECK(ProblemsBeside("listen: [{transport: tls}]").empty());
  CHECK(ProblemsBeside("tls: {certificate: c.pem}") ==
        "turnpike.yaml:1: tls.key: is missing, but tls.certificate is set; set both or none\n");
  CHECK(ProblemsBeside("tls: {versions: []}") ==
        "turnpike.yaml:1: tls.versions: holds no version; use [1.2, 1.3], [1.2] or [1.3]\n");
  CHECK(ProblemsBeside("metering: {directory: \"\"}") ==
        "turnpike.yaml:1: metering.directory: is empty; name a directory that outlives the "
        "process\n");
}

TEST_CASE("text that is no YAML comes with a line and a hint") {
  CHECK(Problems("region us1\nauth: {}\n").starts_with("turnpike.yaml:"));
  CHECK(Problems("relay:\n\tports: 1-2\n").contains("turnpike.yaml:2: not readable as YAML: "));
  CHECK(Problems("relay:\n\tports: 1-2\n").contains("tab"));
  CHECK(Problems("listen: [{port: ${PORT}}]\n").contains("a value with ${…} needs quotes"));
  CHECK(Problems("listen: [\n").contains("turnpike.yaml:2: not readable as YAML: "));
  CHECK(Problems("- a\n- b\n") ==
        "turnpike.yaml:1: the file must hold lines of the form `key: value`\n");
  CHECK(Problems("region: a\n---\nregion: b\n") ==
        "turnpike.yaml:3: a second document begins; write one document, without --- in between\n");
  CHECK(Problems(std::string(5000, '[')).contains("not readable as YAML"));
  CHECK(ProblemsBeside("[a]: b") == "turnpike.yaml:1: a key must be one word\n");
}

}  // namespace
}  // namespace turnpike::config
