// What a simulated world is like, drawn from its seed.
#include <chrono>

#include "tests/sim/sim_world.h"

namespace turnpike::sim {

using namespace std::chrono_literals;

namespace {

constexpr const char* kRealm = "sim.example";
constexpr const char* kSecret = "0123456789abcdef";

TransportAddress Address(const std::string& ip, uint16_t port) {
  return {*IpAddress::Parse(ip), port};
}

Login TimeLimited(WallTime expiry, const std::string& rest, std::string account,
                  std::string label) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(expiry.time_since_epoch());
  const std::string username = std::to_string(seconds.count()) + rest;
  return {.username = username,
          .password = TimeLimitedPassword(kSecret, username),
          .account = std::move(account),
          .label = std::move(label)};
}

}  // namespace

void SimWorld::MakeServerSettings() {
  // Close to the end of a quarter of an hour, at any time of three months.
  const auto day =
      std::chrono::sys_days(std::chrono::year(2026) / 10 / 1) + std::chrono::days(dice_.Below(90));
  timeline_.StepWall(WallTime(day) + std::chrono::minutes(15 * dice_.Below(96)) -
                     dice_.Milliseconds(1, 600'000) - timeline_.now().wall);

  const WallTime now = timeline_.now().wall;
  std::string hostile = "a=b,\"c\"\n";
  hostile.push_back('\0');
  hostile += "\xFF";
  const std::vector<Credentials::User> users = {
      {.username = "alice", .password = "s3cret", .account = "acme", .label = "web"},
      {.username = "anna", .password = "other", .account = "acme", .label = "phone"},
      {.username = "bob", .password = "pw", .account = "", .label = ""},
      {.username = "eve", .password = "=,\"", .account = hostile, .label = hostile},
  };
  for (const auto& user : users) {
    logins_.push_back({.username = user.username,
                       .password = user.password,
                       .account = user.account.empty() ? user.username : user.account,
                       .label = user.label});
  }
  logins_.push_back(TimeLimited(now + 24h * 400, ":umbrella:video", "umbrella", "video"));
  logins_.push_back(TimeLimited(now + 24h * 400, ":acme", "acme", ""));
  logins_.push_back(TimeLimited(now + 30min, "", "default", ""));

  const auto v4 = RelayAddress{*IpAddress::Parse("10.0.0.5"),
                               *IpAddress::Parse(dice_.Percent(50) ? "203.0.113.7" : "10.0.0.5")};
  const auto v6 = RelayAddress{*IpAddress::Parse("2001:db8::5"), *IpAddress::Parse("2001:db8::5")};
  settings_.options.relay_addresses = {v4};
  if (dice_.Percent(70)) settings_.options.relay_addresses.push_back(v6);
  settings_.min_port = 40'000;
  settings_.max_port = static_cast<uint16_t>(40'000 + dice_.Between(2, 20));

  PeerFilter::Options filter;
  filter.relay_addresses = {v4.bind, v4.advertise, v6.bind};
  filter.min_relay_port = settings_.min_port;
  filter.max_relay_port = settings_.max_port;
  settings_.options.realm = kRealm;
  settings_.options.software = dice_.Percent(50) ? "Turnpike" : "";
  settings_.options.credentials =
      std::make_shared<Credentials>(kRealm, users, std::vector<std::string>{kSecret});
  settings_.options.peer_filter = std::make_shared<PeerFilter>(std::move(filter));
  settings_.options.limits.allocations_per_username = dice_.Percent(30) ? 2 : 0;
  settings_.options.max_channels = dice_.Percent(20) ? 2 : 100;
  settings_.options.max_permissions = dice_.Percent(20) ? 2 : 100;
  settings_.options.max_peer_connections = dice_.Percent(20) ? dice_.Below(3) : 64;
  settings_.options.mobility = dice_.Percent(80);
  settings_.options.nonce_lifetime = dice_.Percent(30) ? 60s : 3600s;

  settings_.directory = directory_;
  settings_.identity = {.node = "relay-1", .region = "us1", .edge = "sim", .boot = {}};
  settings_.max_slots = dice_.Percent(20) ? dice_.Between(1, 4) : 1024;
  settings_.workers = dice_.Between(1, 3);
  settings_.refused_percent = dice_.Below(15);
}

void SimWorld::MakeClients() {
  constexpr Transport kTransports[] = {Transport::kUdp, Transport::kUdp, Transport::kTcp,
                                       Transport::kTls, Transport::kDtls};
  const uint32_t count = dice_.Between(2, 5);
  for (uint32_t i = 0; i < count; ++i) {
    clients_.push_back(std::make_unique<SimClient>(*this, dice_, dice_.Pick(kTransports),
                                                   dice_.Pick(logins_), kRealm));
    ++busy_clients_;
    ScheduleClient(*clients_.back(), dice_.Between(30, 120), dice_.Milliseconds(0, 2000));
  }
}

void SimWorld::MakePeers() {
  peers_ = {Address("8.8.4.1", 5000), Address("8.8.4.1", 5001), Address("8.8.4.2", 5000),
            Address("2607:f8b0::1", 5000), Address("2607:f8b0::2", 6000)};
  ScheduleStranger(dice_.Between(5, 60));
}

void SimWorld::StepClock() {
  const auto step =
      dice_.Percent(50) ? dice_.Milliseconds(1, 20 * 60'000) : dice_.Milliseconds(1, 5 * 3'600'000);
  timeline_.StepWall(dice_.Percent(50) ? step : -step);
  Arrive();
}

void SimWorld::KeepSteppingClock() {
  After(dice_.Milliseconds(100, 2000), [this] {
    if (busy_clients_ == 0) return;
    KeepSteppingClock();
    StepClock();
  });
}

// PlanMisfortunes decides when the clock steps, the disk fills up and the server dies.
void SimWorld::PlanMisfortunes() {
  loss_percent_ = dice_.Below(15);
  duplicate_percent_ = dice_.Below(10);
  long_outage_ = dice_.Percent(5);
  const auto when = [this] {
    return dice_.Milliseconds(100, dice_.Percent(50) ? 60'000 : 3'000'000);
  };
  for (uint32_t i = dice_.Below(8); i > 0; --i) After(when(), [this] { StepClock(); });
  // A clock that never rests, while sessions go on.
  if (dice_.Percent(25)) KeepSteppingClock();
  for (uint32_t i = dice_.Below(3); i > 0; --i) {
    After(when(), [this] { disk_full_ = true; });
    After(when(), [this] { disk_full_ = false; });
  }
  if (long_outage_) After(0ms, [this] { disk_full_ = true; });
  const uint32_t kills = dice_.Percent(75) ? dice_.Between(1, 3) : 0;
  for (uint32_t i = 0; i < kills; ++i) {
    After(when(), [this] {
      if (server_ == nullptr) return;
      const uint32_t how = dice_.Below(3);
      if (how == 0) return Kill();
      if (how == 1) return server_->DieAtOutput(dice_.Between(1, 6));
      constexpr const char* kSteps[] = {"begin", "store", "commit", "settle", "free", "done"};
      CheckpointNow({.file_size_limit = std::nullopt, .kill_at_step = dice_.Pick(kSteps)});
    });
  }
}

}  // namespace turnpike::sim
