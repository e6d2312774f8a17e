#include "server/turn/directory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "tests/support/seeded_random.h"

namespace turnpike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const IpAddress kA = *IpAddress::Parse("192.0.2.1");
const IpAddress kB = *IpAddress::Parse("2001:db8::1");
const MonoTime kStart{seconds(1000)};

TEST_CASE("every port is handed out once, none outside of the range") {
  Directory directory({kA, kB}, 50000, 50009);
  SeededRandom random(1);
  CHECK(directory.ports_total() == 20);
  for (const IpAddress& bind : {kA, kB}) {
    std::set<uint16_t> taken;
    for (int i = 0; i < 10; ++i) {
      const auto port = directory.TakePort(bind, PortParity::kAny, random);
      REQUIRE(port.has_value());
      CHECK((*port >= 50000 && *port <= 50009));
      CHECK(taken.insert(*port).second);
    }
    CHECK(!directory.TakePort(bind, PortParity::kAny, random).has_value());
    CHECK(directory.IsConsistent());
  }
  CHECK(directory.ports_in_use() == 20);
  directory.ReturnPort(kB, 50003);
  CHECK(!directory.TakePort(kA, PortParity::kAny, random).has_value());
  CHECK(directory.TakePort(kB, PortParity::kAny, random) == 50003);
}

TEST_CASE("the whole port space fits, and an unknown address has no ports") {
  Directory directory({kA, kA}, 1, 65535);
  SeededRandom random(2);
  CHECK(directory.ports_total() == 65535);
  CHECK(!directory.TakePort(kB, PortParity::kAny, random).has_value());
  for (int i = 0; i < 65535; ++i) REQUIRE(directory.TakePort(kA, PortParity::kAny, random));
  CHECK(!directory.TakePort(kA, PortParity::kAny, random).has_value());
  for (int port = 1; port <= 65535; ++port) {
    directory.ReturnPort(kA, static_cast<uint16_t>(port));
  }
  CHECK(directory.ports_in_use() == 0);
  CHECK(directory.IsConsistent());
}

TEST_CASE("8656_7_2_step7 even ports") {
  Directory directory({kA}, 50001, 50010);
  SeededRandom random(3);
  std::set<uint16_t> taken;
  for (int i = 0; i < 5; ++i) {
    const auto port = directory.TakePort(kA, PortParity::kEven, random);
    REQUIRE(port.has_value());
    CHECK(*port % 2 == 0);
    CHECK(taken.insert(*port).second);
  }
  CHECK(!directory.TakePort(kA, PortParity::kEven, random).has_value());
  CHECK(directory.ports_in_use() == 5);
  CHECK(directory.TakePort(kA, PortParity::kAny, random).has_value());
}

TEST_CASE("8656_7_2_step7 an even port with its sibling") {
  Directory directory({kA}, 50001, 50010);  // 50010 has no sibling in the range
  SeededRandom random(4);
  std::set<uint16_t> taken;
  for (int i = 0; i < 4; ++i) {
    const auto port = directory.TakePort(kA, PortParity::kEvenAndReserveNext, random);
    REQUIRE(port.has_value());
    CHECK(*port % 2 == 0);
    CHECK(*port != 50010);
    CHECK(taken.insert(*port).second);
  }
  CHECK(!directory.TakePort(kA, PortParity::kEvenAndReserveNext, random).has_value());
  CHECK(directory.ports_in_use() == 8);
  CHECK(directory.IsConsistent());
}

TEST_CASE("the last fitting port among tens of thousands is found") {
  Directory directory({kA}, 10000, 60000);
  SeededRandom random(5);
  while (directory.TakePort(kA, PortParity::kEven, random)) {
  }
  directory.ReturnPort(kA, 34566);
  CHECK(directory.TakePort(kA, PortParity::kEvenAndReserveNext, random) == 34566);
  CHECK(!directory.TakePort(kA, PortParity::kEvenAndReserveNext, random).has_value());
  CHECK(directory.ports_in_use() == 25002);
}

TEST_CASE("the top of the port space has no sibling") {
  Directory directory({kA}, 65534, 65535);
  SeededRandom random(6);
  CHECK(directory.TakePort(kA, PortParity::kEvenAndReserveNext, random) == 65534);
  directory.ReturnPort(kA, 65534);
  CHECK(!directory.TakePort(kA, PortParity::kEvenAndReserveNext, random).has_value());
}

TEST_CASE("RFC 6056: ports spread over the whole range, another seed gives another order") {
  const auto draw = [](uint64_t seed) {
    Directory directory({kA}, 10000, 59999);
    SeededRandom random(seed);
    std::vector<uint16_t> ports;
    for (int i = 0; i < 5000; ++i) {
      ports.push_back(*directory.TakePort(kA, PortParity::kAny, random));
    }
    return ports;
  };
  const auto ports = draw(7);
  CHECK(ports != draw(8));
  std::array<int, 10> tenths{};
  for (const uint16_t port : ports) ++tenths[(port - 10000u) / 5000];
  for (const int count : tenths) CHECK((count > 400 && count < 600));
  int ascending = 0;
  for (size_t i = 1; i < ports.size(); ++i) ascending += ports[i] > ports[i - 1];
  CHECK((ascending > 2300 && ascending < 2700));
}

struct Reserving {
  Directory directory{{kA, kB}, 50000, 50009};
  SeededRandom random{9};

  ReservationToken Reserve(MonoTime now) {
    const auto even = directory.TakePort(kA, PortParity::kEvenAndReserveNext, random);
    directory.ReturnPort(kA, *even);
    return directory.Reserve(kA, static_cast<uint16_t>(*even + 1), "alice", now, random);
  }
};

TEST_CASE("8656_18_9 a token redeems its port once, for its user") {
  Reserving world;
  const ReservationToken token = world.Reserve(kStart);
  CHECK(world.directory.reservations() == 1);
  CHECK(world.directory.ports_in_use() == 1);
  CHECK(!world.directory.Redeem({}, "alice", kStart).has_value());
  CHECK(!world.directory.Redeem(token, "bob", kStart).has_value());
  const auto redeemed = world.directory.Redeem(token, "alice", kStart + milliseconds(29999));
  REQUIRE(redeemed.has_value());
  CHECK(redeemed->bind == kA);
  CHECK(redeemed->port % 2 == 1);
  CHECK(world.directory.reservations() == 0);
  CHECK_MESSAGE(world.directory.ports_in_use() == 1, "the port is now the caller's");
  CHECK(!world.directory.Redeem(token, "alice", kStart).has_value());
  world.directory.ReturnPort(redeemed->bind, redeemed->port);
  CHECK(world.directory.ports_in_use() == 0);
}

TEST_CASE("8656_7_2 a reservation ends after 30 seconds and its port is free again") {
  Reserving world;
  const ReservationToken early = world.Reserve(kStart);
  const ReservationToken late = world.Reserve(kStart + seconds(10));
  world.directory.ExpireReservations(kStart + milliseconds(29999));
  CHECK(world.directory.reservations() == 2);
  CHECK(!world.directory.Redeem(early, "alice", kStart + seconds(30)).has_value());
  world.directory.ExpireReservations(kStart + seconds(30));
  CHECK(world.directory.reservations() == 1);
  CHECK(world.directory.ports_in_use() == 1);
  CHECK(world.directory.Redeem(late, "alice", kStart + seconds(30)).has_value());
  CHECK(world.directory.IsConsistent());
}

// Model is the directory as a dumb person would write it.
struct Model {
  std::set<std::pair<IpAddress, uint16_t>> held;  // taken, not reserved
  std::map<ReservationToken, std::pair<std::pair<IpAddress, uint16_t>, MonoTime>> reserved;

  bool IsTaken(const IpAddress& bind, uint16_t port) const {
    return held.contains({bind, port}) || std::ranges::any_of(reserved, [&](const auto& entry) {
             return entry.second.first == std::pair(bind, port);
           });
  }
  bool CanTake(const IpAddress& bind, PortParity parity, uint16_t min, uint16_t max) const {
    for (uint16_t port = min; port <= max; ++port) {
      if (IsTaken(bind, port)) continue;
      if (parity == PortParity::kAny) return true;
      if (port % 2 != 0) continue;
      const auto next = static_cast<uint16_t>(port + 1);
      if (parity == PortParity::kEven || (next <= max && !IsTaken(bind, next))) return true;
    }
    return false;
  }
};

// Driver does random things to a directory and its model, and compares.
class Driver {
 public:
  explicit Driver(uint64_t seed) : random_(seed) {}

  void Step() {
    now_ += milliseconds(random_.Below(2000));
    switch (random_.Below(5)) {
      case 0:
      case 1:
        return Take();
      case 2:
        return Return();
      case 3:
        return Redeem();
      default:
        directory_.ExpireReservations(now_);
        std::erase_if(model_.reserved,
                      [&](const auto& entry) { return entry.second.second <= now_; });
    }
  }

  void Compare() const {
    REQUIRE(directory_.ports_in_use() == model_.held.size() + model_.reserved.size());
    REQUIRE(directory_.reservations() == model_.reserved.size());
    REQUIRE(directory_.IsConsistent());
  }

  void ReturnAll() {
    for (const auto& [bind, port] : model_.held) directory_.ReturnPort(bind, port);
    directory_.ExpireReservations(now_ + kReservationLifetime);
    model_ = {};
  }

 private:
  static constexpr uint16_t kMin = 50001;
  static constexpr uint16_t kMax = 50040;

  void Take() {
    const IpAddress bind = random_.Below(2) == 0 ? kA : kB;
    const auto parity = static_cast<PortParity>(random_.Below(3));
    const bool possible = model_.CanTake(bind, parity, kMin, kMax);
    const auto port = directory_.TakePort(bind, parity, random_);
    REQUIRE(port.has_value() == possible);
    if (!port) return;
    REQUIRE(!model_.IsTaken(bind, *port));
    REQUIRE((parity == PortParity::kAny || *port % 2 == 0));
    model_.held.emplace(bind, *port);
    if (parity != PortParity::kEvenAndReserveNext) return;
    const auto next = static_cast<uint16_t>(*port + 1);
    REQUIRE(!model_.IsTaken(bind, next));
    const auto token = directory_.Reserve(bind, next, "alice", now_, random_);
    model_.reserved[token] = {{bind, next}, now_ + seconds(30)};
  }

  void Return() {
    if (model_.held.empty()) return;
    const auto place =
        std::next(model_.held.begin(), random_.Below(static_cast<uint32_t>(model_.held.size())));
    directory_.ReturnPort(place->first, place->second);
    model_.held.erase(place);
  }

  void Redeem() {
    if (model_.reserved.empty()) return;
    const auto entry = std::next(model_.reserved.begin(),
                                 random_.Below(static_cast<uint32_t>(model_.reserved.size())));
    const auto [where, expires_at] = entry->second;
    const auto redeemed = directory_.Redeem(entry->first, "alice", now_);
    REQUIRE(redeemed.has_value() == (now_ < expires_at));
    if (!redeemed) return;
    REQUIRE(std::pair(redeemed->bind, redeemed->port) == where);
    model_.reserved.erase(entry);
    model_.held.insert(where);
  }

  Directory directory_{{kA, kB}, kMin, kMax};
  SeededRandom random_;
  MonoTime now_ = kStart;
  Model model_;
};

TEST_CASE("property: any sequence agrees with the model, and nothing leaks") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    Driver driver(seed);
    for (int i = 0; i < 1000; ++i) {
      driver.Step();
      driver.Compare();
    }
    driver.ReturnAll();
    driver.Compare();
  }
}

// Work is what one worker does to the shared directory; it counts how often it lost or saw
// nonsense.
int Work(Directory& directory, std::array<std::atomic<bool>, 65536>& owned, uint64_t seed) {
  SeededRandom random(seed);
  const std::string username = "user" + std::to_string(seed % 2);
  const LimitOptions limits = {.allocations_per_username = 3};
  const QuotaHolder holder = {.username = username, .account = "acme", .client = kA};
  std::vector<uint16_t> mine;
  int wrong = 0;
  const auto own = [&](uint16_t port) {
    if (owned[port].exchange(true)) ++wrong;
    mine.push_back(port);
  };
  const auto give_back = [&] {
    if (!owned[mine.back()].exchange(false)) ++wrong;
    directory.ReturnPort(kA, mine.back());
    mine.pop_back();
  };
  for (int i = 0; i < 3000; ++i) {
    const auto parity = static_cast<PortParity>(random.Below(3));
    if (const auto port = directory.TakePort(kA, parity, random)) {
      own(*port);
      if (parity == PortParity::kEvenAndReserveNext) {
        const auto next = static_cast<uint16_t>(*port + 1);
        const auto token = directory.Reserve(kA, next, username, kStart, random);
        if (i % 2 == 0) {
          const auto redeemed = directory.Redeem(token, username, kStart);
          if (redeemed) own(redeemed->port);
        }
      }
    }
    if (directory.quotas().Take(holder, limits, kStart)) directory.quotas().Return(holder, kStart);
    if (i % 64 == 0) directory.ExpireReservations(kStart + seconds(30));
    while (mine.size() > 10) give_back();
  }
  while (!mine.empty()) give_back();
  return wrong;
}

TEST_CASE("workers on several threads never share a port and leak none") {
  Directory directory({kA}, 50000, 50063);
  auto owned = std::make_unique<std::array<std::atomic<bool>, 65536>>();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> workers;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    workers.emplace_back([&, seed] { wrong += Work(directory, *owned, seed); });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  directory.ExpireReservations(kStart + seconds(30));
  CHECK(directory.ports_in_use() == 0);
  CHECK(directory.IsConsistent());
  CHECK(directory.quotas().Read()[static_cast<size_t>(Limit::kAllocations)].used == 0);
}

}  // namespace
}  // namespace turnpike
