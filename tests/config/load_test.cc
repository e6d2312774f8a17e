// Reading whole files: what design and reference show must load, and what cannot be read must say
// why.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/config.h"
#include "config/file.h"
#include "config/keys.h"
#include "tests/config/support.h"
#include "tests/support/tree.h"

namespace turnpike::config {
namespace {

namespace fs = std::filesystem;

// TempDir is a directory that goes away with its test.
struct TempDir {
  fs::path path = fs::temp_directory_path() / ("turnpike-config-" + std::to_string(getpid()));
  TempDir() { fs::create_directories(path); }
  ~TempDir() { fs::remove_all(path); }

  std::string Write(const std::string& name, std::string_view content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return (path / name).string();
  }
};

std::string FirstProblem(const std::string& path) {
  const auto config = Load(path);
  REQUIRE(!config);
  REQUIRE(config.error().size() == 1);
  return config.error().front().ToString();
}

constexpr std::string_view kFixedNames = R"(# turnpike.yaml
node: relay-1            # unique in the fleet; default: the host name
region: us1
edge: ashburn
workers: auto            # or a number
listen:
  - {transport: udp, address: 0.0.0.0, port: 3478}
  - {transport: tcp, address: 0.0.0.0, port: 3478}
  - {transport: tls, address: 0.0.0.0, port: 5349}
relay:
  addresses:
    - {bind: 10.0.0.5, advertise: 203.0.113.7}     # advertise: an address, or auto
  ports: 10000-60000
  peers: {allow: [], deny: []}                      # on top of the built-in rule
auth:
  realm: turnpike.example
  secrets: ["${file:SECRET}"]            # time-limited credentials, newest first
  users:
    - {username: alice, password: s3cret, account: acme, label: web}
tls: {certificate: cert.pem, key: key.pem, versions: [1.2, 1.3]}
metering: {directory: /var/lib/turnpike, checkpoint: 5s}   # holds usage.db and live.slots
admin: {address: 127.0.0.1, port: 9641}
log: {level: info, format: json}
)";

TEST_CASE("the file that shows the fixed names loads as written") {
  const TempDir dir;
  dir.Write("turn", "north\n");
  std::string text(kFixedNames);
  text.replace(text.find("SECRET"), 6, "turn");
  const auto config = Load(dir.Write("turnpike.yaml", text));
  REQUIRE(config);
  CHECK(config->node == "relay-1");
  CHECK(config->region == "us1");
  CHECK(config->edge == "ashburn");
  CHECK(config->workers == 0);
  REQUIRE(config->listen.size() == 3);
  CHECK(config->listen[0].transport == Transport::kUdp);
  CHECK(config->listen[1].transport == Transport::kTcp);
  CHECK(config->listen[2].transport == Transport::kTls);
  CHECK(config->listen[2].address.ToString() == "0.0.0.0:5349");
  REQUIRE(config->relay.addresses.size() == 1);
  CHECK(config->relay.addresses[0].bind.ToString() == "10.0.0.5");
  CHECK(config->relay.addresses[0].advertise == IpAddress::Parse("203.0.113.7"));
  CHECK(!config->relay.addresses[0].advertise_auto);
  CHECK(config->relay.ports.first == 10000);
  CHECK(config->relay.ports.last == 60000);
  CHECK(config->auth.realm == "turnpike.example");
  CHECK(config->auth.secrets == std::vector<std::string>{"north"});
  REQUIRE(config->auth.users.size() == 1);
  CHECK(config->auth.users[0].username == "alice");
  CHECK(config->auth.users[0].password == "s3cret");
  CHECK(config->auth.users[0].account == "acme");
  CHECK(config->auth.users[0].label == "web");
  CHECK(config->tls.certificate == (dir.path / "cert.pem").string());
  CHECK(config->tls.key == (dir.path / "key.pem").string());
  CHECK(config->tls.versions == std::vector{TlsVersion::k12, TlsVersion::k13});
  CHECK(config->metering.directory == "/var/lib/turnpike");
  CHECK(config->metering.checkpoint == std::chrono::seconds(5));
  CHECK(config->admin.address.ToString() == "127.0.0.1:9641");
  CHECK(config->log.level == LogLevel::kInfo);
  CHECK(config->log.format == LogFormat::kJson);
}

TEST_CASE("what is left out has its default, and the node the host's name") {
  const TempDir dir;
  const auto config = Load(dir.Write("turnpike.yaml", kUser));
  REQUIRE(config);
  CHECK(!config->node.empty());
  REQUIRE(config->listen.size() == 4);
  CHECK(config->listen[0].address.ToString() == "0.0.0.0:3478");
  CHECK(config->listen[1].address.ToString() == "[::]:3478");
  CHECK(config->listen[1].transport == Transport::kUdp);
  CHECK(config->listen[2].transport == Transport::kTcp);
  CHECK(config->auth.users[0].account == "alice");
  CHECK(config->admin.address.ToString() == "127.0.0.1:9641");
}

TEST_CASE("every key can be set, and what can be printed reads back") {
  const auto config = Parse(
      "limits: {default_lifetime: 5m, max_lifetime: 30m, permissions_per_allocation: 7,\n"
      "         channels_per_allocation: 8, allocations_per_username: 9,\n"
      "         session_bandwidth: 2.5 Mbit/s, account_bandwidth: 1Gbit/s}\n"
      "relay: {addresses: [{bind: \"2001:db8::5\", advertise: auto}],\n"
      "        peers: {allow: [10.1.0.0/16], deny: [\"2001:db8:1::/48\", 192.0.2.7]}}\n"
      "auth: {nonce_lifetime: 10m, secrets: [a, b]}\n"
      "listen: [{transport: tls}, {transport: udp}, {transport: tls, port: 443}]\n"
      "tls: {certificate: /c.pem, key: /k.pem, versions: [1.2]}\n"
      "metering: {slots: 2048, checkpoint: 250ms, directory: usage}\n"
      "admin: {account_series: 5}\nlog: {level: warning, format: text}\nworkers: 4\n",
      "/etc/turnpike/turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  CHECK(config->limits.default_lifetime == std::chrono::minutes(5));
  CHECK(config->limits.max_lifetime == std::chrono::minutes(30));
  CHECK(config->limits.permissions_per_allocation == 7);
  CHECK(config->limits.channels_per_allocation == 8);
  CHECK(config->limits.allocations_per_username == 9);
  CHECK(config->limits.session_bandwidth == 2'500'000);
  CHECK(config->limits.account_bandwidth == 1'000'000'000);
  CHECK(config->relay.addresses[0].advertise_auto);
  CHECK(!config->relay.addresses[0].advertise);
  CHECK(config->relay.peers.allow.Contains(*IpAddress::Parse("10.1.2.3")));
  CHECK(config->relay.peers.deny.ranges().size() == 2);
  CHECK(config->auth.nonce_lifetime == std::chrono::minutes(10));
  CHECK(config->auth.secrets.size() == 2);
  CHECK(config->listen[0].address.port == 5349);
  CHECK(config->listen[1].address.port == 3478);
  CHECK(config->listen[2].address.port == 443);
  CHECK(config->tls.versions == std::vector{TlsVersion::k12});
  CHECK(config->metering.slots == 2048);
  CHECK(config->metering.checkpoint == std::chrono::milliseconds(250));
  CHECK(config->metering.directory == "/etc/turnpike/usage");
  CHECK(config->admin.account_series == 5);
  CHECK(config->log.level == LogLevel::kWarning);
  CHECK(config->log.format == LogFormat::kText);
  CHECK(config->workers == 4);
}

TEST_CASE("a byte order mark, CRLF and empty sections are no problem") {
  std::string text = "\xEF\xBB\xBFregion: us1\nlimits:\n" + std::string(kUser);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.insert(at, "\r");
  }
  const auto config = Parse(text, "turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  CHECK(config->region == "us1");
  CHECK(Problems(text + "regoin: x\r\n") ==
        "turnpike.yaml:4: unknown key `regoin`; did you mean `region`?\n");
}

TEST_CASE("files that cannot be read say why") {
  const TempDir dir;
  const std::string path = dir.path.string();
  CHECK(FirstProblem(path + "/none.yaml") ==
        path + "/none.yaml: cannot be read: No such file or directory");
  CHECK(FirstProblem(path) == path + ": is a directory; name a file in it");
  CHECK(FirstProblem(dir.Write("empty.yaml", "")) ==
        path +
            "/empty.yaml: the file says nothing; `turnpike config reference` prints one to start "
            "from");
  CHECK(FirstProblem(dir.Write("comment.yaml", "# nothing yet\n")).contains("says nothing"));
  CHECK(FirstProblem(dir.Write("long.yaml", std::string((1 << 20) + 1, '#'))) ==
        path + "/long.yaml: is larger than 1048576 bytes");
  const std::string secret = dir.Write("closed.yaml", kUser);
  fs::permissions(secret, fs::perms::none);
  if (geteuid() != 0) {
    CHECK(FirstProblem(secret) == secret + ": cannot be read: Permission denied");
  }
}

TEST_CASE("a secret's file loses its newlines, and may not be empty") {
  const TempDir dir;
  CHECK(ReadSecretFile(dir.Write("a", "s3cret\r\n\n")) == "s3cret");
  CHECK(ReadSecretFile(dir.Write("b", "\n")).error() == "is empty");
  CHECK(ReadSecretFile(dir.path.string()).error() == "is a directory; name a file in it");
}

TEST_CASE("config/turnpike.yaml holds every key with its default and meaning") {
  std::ifstream file(SourceDir() / "config/turnpike.yaml");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  INFO("write it anew: turnpike config reference > config/turnpike.yaml");
  CHECK(text == Reference());
  for (const Key& key : Keys()) {
    INFO(key.name);
    CHECK(!key.doc.empty());
    CHECK(text.contains(std::string(KeyLeaf(key.name)) + ":"));
  }
}

TEST_CASE("the reference is a configuration that only lacks somebody to serve") {
  const std::string before = Reference().substr(0, Reference().find("\nauth:") + 1);
  const auto line = std::ranges::count(before, '\n') + 1;
  CHECK(Problems(Reference()) ==
        "turnpike.yaml:" + std::to_string(line) +
            ": auth: there is nobody who may allocate; add auth.secrets for time-limited "
            "credentials, or auth.users: [{username: …, password: …}]\n");
  std::string text = Reference();
  text.replace(text.find("secrets: []"), 11, "secrets: [x]");
  CHECK(Problems(text) == "");
}

}  // namespace
}  // namespace turnpike::config
