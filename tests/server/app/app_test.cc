#include "server/app.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/server/io/io_world.h"

namespace turnpike {
namespace {

config::Config TestConfig(const TestDirectory& directory) {
  config::Config config;
  config.node = "n";
  config.workers = 2;
  config.listen = {{Transport::kUdp, Address("127.0.0.1:0")}};
  config.relay.addresses = {{.bind = *IpAddress::Parse("127.0.0.1"), .advertise = std::nullopt}};
  config.relay.ports = {34000, 34999};
  config.relay.peers.allow.Add(*IpRange::Parse("127.0.0.0/8"));
  config.auth.realm = "test";
  config.auth.users = {{"alice", "pw", "acme", "web"}};
  config.metering.directory = directory.path() + "/metering";
  config.metering.slots = 1024;
  config.admin.address = Address("127.0.0.1:0");
  return config;
}

// Call makes one call of `payload` there and back, and leaves it open.
void Call(LiveClient& client, TestSocket& peer, const std::string& payload) {
  client.turn().Allocate(LiveClient::Now());
  const auto allocated = client.Await<Allocated>();
  REQUIRE(allocated.has_value());
  client.turn().BindChannel(PeerAddress(peer.address()), LiveClient::Now());
  REQUIRE(client.Await<ChannelBound>().has_value());
  client.SendTo(peer.address(), payload);
  CHECK(peer.Receive().bytes == payload);
  peer.Send(payload, allocated->relayed.value());
  CHECK(client.AwaitData() == payload);
}

}  // namespace

TEST_CASE(
    "from configuration to ledger: a call is in the ledger after Stop, and again after a start") {
  const TestDirectory directory;
  const config::Config config = TestConfig(directory);
  {
    const auto app = App::Start(config, nullptr);
    REQUIRE_MESSAGE(app.has_value(), (app ? "" : app.error()));
    std::string why;
    CHECK((*app)->Ready(&why));
    CHECK((*app)->Workers().size() == 2);
    TestSocket peer(Address("127.0.0.1:0"));
    LiveClient client(Address("127.0.0.1:0"), (*app)->listeners()[0].address, Alice());
    Call(client, peer, "hello");
    const auto gauges = (*app)->ReadGauges();
    CHECK(gauges.ports_in_use == 1);
    CHECK(gauges.ports_total == 1000);
    CHECK(gauges.slots_in_use == 1);
    CHECK(gauges.slots_total == 1024);
    CHECK((*app)->Stop());
    CHECK_FALSE((*app)->Ready(&why));
    CHECK(why == "draining");
    CHECK((*app)->ReadGauges().slots_in_use == 0);
    REQUIRE((*app)->Ledger()->billable.size() == 1);
    CHECK((*app)->Ledger()->billable[0].payload_bytes == std::array<uint64_t, 2>{5, 5});
  }
  const auto again = App::Start(config, nullptr);
  REQUIRE(again.has_value());
  CHECK((*again)->Ledger()->billable[0].payload_bytes == std::array<uint64_t, 2>{5, 5});
}

TEST_CASE("what an earlier process left in the slots is in the ledger when the server is up") {
  const TestDirectory directory;
  const config::Config config = TestConfig(directory);
  std::filesystem::create_directory(config.metering.directory);
  {
    const auto slots =
        *SlotFile::Open(config.metering.directory + "/live.slots", 1024, {"n", "local", "local"});
    SessionInfo info;
    info.account = "acme";
    info.started_at = ReadClocks().wall;
    slots->Acquire(info)->Add(Direction::kClientToPeer, 77, 81, BucketOf(ReadClocks().wall));
  }
  const auto app = App::Start(config, nullptr);
  REQUIRE_MESSAGE(app.has_value(), (app ? "" : app.error()));
  REQUIRE((*app)->Ledger()->billable.size() == 1);
  CHECK((*app)->Ledger()->billable[0].payload_bytes[0] == 77);
  CHECK((*app)->ReadGauges().slots_in_use == 0);
}

TEST_CASE("a reload changes all that it can, names what waits, and nothing when it fails") {
  const TestDirectory directory;
  config::Config file = TestConfig(directory);
  std::vector<config::Problem> problems;
  const auto app =
      App::Start(file, [&]() -> std::expected<config::Config, std::vector<config::Problem>> {
        if (!problems.empty()) return std::unexpected(problems);
        return file;
      });
  REQUIRE(app.has_value());
  CHECK((*app)->Reload().changes.empty());

  TestSocket peer(Address("127.0.0.1:0"));
  LiveClient before(Address("127.0.0.1:0"), (*app)->listeners()[0].address, Alice());
  Call(before, peer, "hello");
  file.auth.users = {{"bob", "pw", "globex", ""}};
  file.limits.max_lifetime = std::chrono::hours(2);
  file.workers = 3;
  const ReloadReport report = (*app)->Reload();
  CHECK(report.ok());
  CHECK(report.changes ==
        std::vector<std::string>{"auth.users: +bob -alice", "limits.max_lifetime: 1h -> 2h"});
  CHECK(report.needs_restart == std::vector<std::string>{"workers: 2 -> 3"});
  CHECK((*app)->Workers().size() == 2);
  CHECK((*app)->ReadGauges().config_restart_needed);
  // The call goes on under its keys.
  before.SendTo(peer.address(), "still here");
  CHECK(peer.Receive().bytes == "still here");
  before.turn().BindChannel(PeerAddress(Address("127.0.0.1:9")), LiveClient::Now());
  CHECK(before.Await<ChannelBound>().has_value());

  problems = {{"turnpike.yaml", 3, "limits", "unknown key `max`"}};
  CHECK((*app)->Reload().problems ==
        std::vector<std::string>{"turnpike.yaml:3: limits: unknown key `max`"});
  CHECK_FALSE((*app)->ReadGauges().config_last_reload_successful);
  problems.clear();
  CHECK((*app)->Reload().changes.empty());
  CHECK((*app)->ReadGauges().config_last_reload_successful);
}

TEST_CASE("a start that fails says why in one sentence and leaves nothing behind") {
  const TestDirectory directory;
  config::Config config = TestConfig(directory);
  const auto error_of = [&] {
    const auto app = App::Start(config, nullptr);
    return app ? std::string("started") : app.error();
  };
  const auto contains = [&](const char* text) {
    return error_of().find(text) != std::string::npos;
  };

  TestSocket other(Address("127.0.0.1:0"));
  config.listen[0].address = other.address();
  CHECK(contains("another program has this port"));
  config.listen[0].address = Address("127.0.0.1:0");

  config.admin.address = Address("192.0.2.1:9641");
  CHECK(contains("192.0.2.1:9641"));
  config.admin.address = Address("127.0.0.1:0");

  config.metering.directory = directory.path() + "/no/such/parent";
  CHECK(contains("/no/such/parent"));
  std::ofstream(directory.path() + "/file") << "x";
  config.metering.directory = directory.path() + "/file";
  CHECK(contains("/file"));
  config.metering.directory = directory.path() + "/metering";

  const auto first = App::Start(config, nullptr);
  REQUIRE(first.has_value());
  CHECK(error_of() != "started");  // one server per directory
}

}  // namespace turnpike
