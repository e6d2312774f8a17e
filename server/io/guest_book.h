// Who is whose guest, for one worker (see handover.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/io/transport.h"
#include "server/turn/types.h"

namespace turnpike {

// GuestBook keeps both sides' tables: the guests that this worker hosts, and the ways to clients of
// its own that others host. It is empty as long as nobody moves.
class GuestBook {
 public:
  // ---- As a host.

  // Host makes `client`, which came by a socket of this worker, a guest of `owner`. Dismiss ends
  // that.
  void Host(const Client& client, CoreId owner);
  void Dismiss(const Client& client);

  // OwnerOf returns whose guest `client` is, or nullopt.
  std::optional<CoreId> OwnerOf(const Client& client) const {
    if (connections_.empty() && tuples_.empty()) return std::nullopt;
    return FindOwner(client);
  }

  // HostsConnection says whether the client behind a connection or DTLS session is a guest.
  bool HostsConnection(LinkId link) const { return connections_.contains(link); }

  // NotePassed remembers that something of `link` was passed to `owner`. TakePassed returns, and
  // forgets, who must hear that the connection is closed; it is no guest's any more.
  void NotePassed(LinkId link, CoreId owner);
  std::vector<CoreId> TakePassed(LinkId link);

  // ---- As an owner.

  // Whereabouts is how a worker names a way to clients that is another one's.
  struct Whereabouts {
    CoreId host;
    LinkId link;

    friend auto operator<=>(const Whereabouts&, const Whereabouts&) = default;
  };

  // LinkFor returns the link, at or above kFirstGuest, by which the core knows the way `to`; a new
  // one the first time. Find is the way back; nullopt once it is gone. Remove forgets the way and
  // returns its link, or nullopt when there was none.
  LinkId LinkFor(const Whereabouts& to);
  std::optional<Whereabouts> Find(LinkId guest) const;
  std::optional<LinkId> Remove(const Whereabouts& to);

  // Await keeps `forward` until its report comes, and numbers it. TakeAwaited returns it, or
  // nullopt when nobody waits under that number (any more); TakeAllAwaited returns all.
  uint64_t Await(const Forward& forward);
  std::optional<Forward> TakeAwaited(uint64_t number);
  std::vector<Forward> TakeAllAwaited();

 private:
  std::optional<CoreId> FindOwner(const Client& client) const;

  std::map<LinkId, CoreId> connections_;  // guests over TCP, TLS, DTLS
  std::map<FiveTuple, CoreId> tuples_;    // guests over UDP
  std::set<std::pair<LinkId, CoreId>> passed_;
  std::map<Whereabouts, LinkId> links_;
  std::map<LinkId, Whereabouts> whereabouts_;
  uint32_t last_link_ = kFirstGuest - 1;
  std::map<uint64_t, Forward> awaited_;
  uint64_t last_number_ = 0;
};

}  // namespace turnpike
