#include "server/turn/directory.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/check.h"

namespace turnpike {

// Pool holds the ports of one bind address: those that are free in any order, and where in that
// list each port stands. Taking a random one and returning one then cost the same, however many
// there are.
struct Directory::Pool {
  static constexpr uint16_t kTaken = 0xFFFF;  // no index: there are at most 65,535 ports

  IpAddress bind;
  uint16_t min_port = 0;
  std::vector<uint16_t> free;
  std::vector<uint16_t> position;  // by port - min_port: index in `free`, or kTaken

  Pool(const IpAddress& address, uint16_t min, uint16_t max)
      : bind(address), min_port(min), free(size_t{max} - min + 1), position(free.size()) {
    std::iota(free.begin(), free.end(), min);
    std::iota(position.begin(), position.end(), uint16_t{0});
  }

  bool Has(uint32_t port) const { return port >= min_port && port - min_port < position.size(); }
  bool IsFree(uint32_t port) const { return Has(port) && position[port - min_port] != kTaken; }

  void Take(uint16_t port) {
    TP_CHECK(IsFree(port));
    uint16_t& index = position[port - min_port];
    const uint16_t last = free.back();
    free[index] = last;
    position[last - min_port] = index;
    index = kTaken;
    free.pop_back();
  }

  void Return(uint16_t port) {
    TP_CHECK(Has(port) && !IsFree(port));
    position[port - min_port] = static_cast<uint16_t>(free.size());
    free.push_back(port);
  }

  bool Fits(uint16_t port, PortParity parity) const {
    if (parity == PortParity::kAny) return true;
    return port % 2 == 0 && (parity == PortParity::kEven || IsFree(uint32_t{port} + 1));
  }

  // Find returns a random free port that fits. Half of them do in a pool that is not nearly
  // exhausted, so a few probes nearly always end it; only then the whole list is searched, from a
  // random place.
  std::optional<uint16_t> Find(PortParity parity, RandomSource& random) const {
    constexpr int kProbes = 32;
    if (free.empty()) return std::nullopt;
    const auto count = static_cast<uint32_t>(free.size());
    for (int i = 0; i < kProbes; ++i) {
      const uint16_t port = free[random.Below(count)];
      if (Fits(port, parity)) return port;
    }
    const uint32_t start = random.Below(count);
    for (uint32_t i = 0; i < count; ++i) {
      const uint16_t port = free[(start + i) % count];
      if (Fits(port, parity)) return port;
    }
    return std::nullopt;
  }

  bool IsConsistent() const {
    size_t free_count = 0;
    for (size_t i = 0; i < position.size(); ++i) {
      if (position[i] == kTaken) continue;
      ++free_count;
      if (position[i] >= free.size() || free[position[i]] != min_port + i) return false;
    }
    return free_count == free.size();
  }
};

Directory::Directory(const std::vector<IpAddress>& bind_addresses, uint16_t min_port,
                     uint16_t max_port) {
  TP_CHECK(min_port != 0 && min_port <= max_port);
  for (const IpAddress& bind : bind_addresses) {
    if (FindPool(bind) == nullptr) pools_.emplace_back(bind, min_port, max_port);
  }
}

Directory::~Directory() = default;

Directory::Pool* Directory::FindPool(const IpAddress& bind) {
  for (Pool& pool : pools_) {
    if (pool.bind == bind) return &pool;
  }
  return nullptr;
}

std::optional<uint16_t> Directory::TakePort(const IpAddress& bind, PortParity parity,
                                            RandomSource& random) {
  const std::lock_guard lock(mutex_);
  Pool* pool = FindPool(bind);
  if (pool == nullptr) return std::nullopt;
  const auto port = pool->Find(parity, random);
  if (!port) return std::nullopt;
  pool->Take(*port);
  if (parity == PortParity::kEvenAndReserveNext) pool->Take(static_cast<uint16_t>(*port + 1));
  return port;
}

void Directory::ReturnPort(const IpAddress& bind, uint16_t port) {
  const std::lock_guard lock(mutex_);
  Pool* pool = FindPool(bind);
  TP_CHECK(pool != nullptr);
  pool->Return(port);
}

bool Directory::HasTaken(const TransportAddress& address) const {
  const std::lock_guard lock(mutex_);
  const Pool* pool = FindPool(address.ip);
  return pool != nullptr && pool->Has(address.port) && !pool->IsFree(address.port);
}

ReservationToken Directory::Reserve(const IpAddress& bind, uint16_t port, std::string_view username,
                                    MonoTime now, RandomSource& random) {
  const std::lock_guard lock(mutex_);
  const Pool* pool = FindPool(bind);
  TP_CHECK(pool != nullptr && pool->Has(port) && !pool->IsFree(port));
  ReservationToken token;
  do {
    random.Fill(token);
  } while (reservations_.contains(token));
  reservations_.emplace(token, Reservation{.where = {.bind = bind, .port = port},
                                           .username = std::string(username),
                                           .expires_at = now + kReservationLifetime});
  return token;
}

std::optional<Directory::Reserved> Directory::Redeem(const ReservationToken& token,
                                                     std::string_view username, MonoTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = reservations_.find(token);
  if (found == reservations_.end() || found->second.username != username ||
      found->second.expires_at <= now) {
    return std::nullopt;
  }
  const Reserved where = found->second.where;
  reservations_.erase(found);
  return where;
}

void Directory::ExpireReservations(MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(reservations_, [&](const auto& entry) {
    const Reservation& reservation = entry.second;
    if (reservation.expires_at > now) return false;
    FindPool(reservation.where.bind)->Return(reservation.where.port);
    return true;
  });
}

void Directory::SetCapped(std::vector<CappedUse> capped) {
  std::ranges::sort(capped);
  const std::lock_guard lock(mutex_);
  capped_.swap(capped);
}

void Directory::SetRevoked(std::vector<Revocation> revoked) {
  const std::lock_guard lock(mutex_);
  revoked_.swap(revoked);
}

bool Directory::IsRevoked(std::string_view username, std::string_view account,
                          std::string_view label, WallTime now) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(revoked_, [&](const Revocation& each) {
    return now < each.until && each.Fits(username, account, label);
  });
}

bool Directory::IsCapped(std::string_view account, std::string_view label) const {
  const std::lock_guard lock(mutex_);
  if (capped_.empty()) return false;
  CappedUse use{std::string(account), std::nullopt};
  if (std::ranges::binary_search(capped_, use)) return true;
  use.label = label;
  return std::ranges::binary_search(capped_, use);
}

CoreId Directory::AddCore() {
  const std::lock_guard lock(mutex_);
  return CoreId(cores_++);
}

ConnectionId Directory::Offer(OfferedStream stream, RandomSource& random) {
  const std::lock_guard lock(mutex_);
  while (true) {
    const ConnectionId id(static_cast<uint32_t>(random.U64()));
    if (offers_.contains(id)) continue;
    offers_.emplace(id, std::move(stream));
    return id;
  }
}

std::optional<OfferedStream> Directory::FindOffer(ConnectionId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = offers_.find(id);
  if (found == offers_.end()) return std::nullopt;
  return found->second;
}

std::optional<OfferedStream> Directory::TakeOffer(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  const auto node = offers_.extract(id);
  if (node.empty()) return std::nullopt;
  // cppcheck-suppress returnStdMoveLocal ; an optional is made of it, so nothing could be elided
  return std::move(node.mapped());
}

void Directory::WithdrawOffer(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  offers_.erase(id);
}

uint32_t Directory::ports_in_use() const {
  const std::lock_guard lock(mutex_);
  size_t in_use = 0;
  for (const Pool& pool : pools_) in_use += pool.position.size() - pool.free.size();
  return static_cast<uint32_t>(in_use);
}

uint32_t Directory::ports_total() const {
  const std::lock_guard lock(mutex_);
  size_t total = 0;
  for (const Pool& pool : pools_) total += pool.position.size();
  return static_cast<uint32_t>(total);
}

uint32_t Directory::reservations() const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint32_t>(reservations_.size());
}

uint32_t Directory::offers() const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint32_t>(offers_.size());
}

bool Directory::IsConsistent() const {
  const std::lock_guard lock(mutex_);
  for (const Pool& pool : pools_) {
    if (!pool.IsConsistent()) return false;
    for (const auto& [token, reservation] : reservations_) {
      if (reservation.where.bind == pool.bind && pool.IsFree(reservation.where.port)) return false;
    }
  }
  return true;
}

}  // namespace turnpike
