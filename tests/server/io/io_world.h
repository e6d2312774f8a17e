// A core, a driver and a slot file on a loop that the test turns.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/metering/slots.h"
#include "server/io/driver.h"
#include "server/io/system_random.h"
#include "server/turn/turn_server.h"
#include "tests/server/io/live_client.h"
#include "tests/server/io/loop_until.h"

namespace turnpike {

// TestTurnOptions are rules under which alice (password pw, account acme) relays between loopback
// addresses.
inline TurnOptions TestTurnOptions() {
  TurnOptions options;
  options.realm = "test";
  const IpAddress v4 = *IpAddress::Parse("127.0.0.1");
  const IpAddress v6 = *IpAddress::Parse("::1");
  options.relay_addresses = {{v4, v4}, {v6, v6}};
  options.credentials = std::make_shared<const Credentials>(
      "test", std::vector<Credentials::User>{{"alice", "pw", "acme", "web"}},
      std::vector<std::string>{});
  PeerFilter::Options filter;
  filter.allow.Add(*IpRange::Parse("127.0.0.0/8"));
  filter.allow.Add(*IpRange::Parse("::1"));
  options.peer_filter = std::make_shared<const PeerFilter>(std::move(filter));
  return options;
}

inline TurnClientOptions Alice() {
  TurnClientOptions options;
  options.username = "alice";
  options.password = "pw";
  return options;
}

// TestDirectory is a fresh directory that is removed with everything in it.
class TestDirectory {
 public:
  TestDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "turnpike-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct IoWorld {
  explicit IoWorld(TurnOptions options = TestTurnOptions(), uint16_t first_port = 31000,
                   uint16_t last_port = 31999)
      : ports({*IpAddress::Parse("127.0.0.1"), *IpAddress::Parse("::1")}, first_port, last_port),
        core(std::move(options), NonceSecret{}, ports, random),
        driver(loop.get(), core, *slots) {}

  template <typename Predicate>
  bool Until(Predicate done) {
    return LoopUntil(loop.get(), done);
  }

  // Allocated brings `client` to an allocation.
  bool Allocate(LiveClient& client) {
    client.turn().Allocate(LiveClient::Now());
    client.Pump();
    return Until([&] {
      client.Pump();
      return client.Find<Allocated>().has_value();
    });
  }

  // Bind binds a channel to `peer`.
  bool Bind(LiveClient& client, const TransportAddress& peer) {
    client.turn().BindChannel(PeerAddress(peer), LiveClient::Now());
    client.Pump();
    return Until([&] {
      client.Pump();
      return client.Find<ChannelBound>().has_value();
    });
  }

  TestDirectory directory;
  std::unique_ptr<SlotFile> slots =
      *SlotFile::Open(directory.path() + "/live.slots", 1024, {"n", "r", "e", {}});
  SystemRandom random;
  UvLoop loop;
  Directory ports;
  TurnServer core;
  Driver driver;
};

}  // namespace turnpike
