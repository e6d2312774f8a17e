// A UDP socket per relayed transport address: where peers send, and what peers see.
#pragma once

#include <uv.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "server/io/transport.h"
#include "server/io/udp_socket.h"
#include "server/io/uv.h"
#include "server/turn/types.h"

namespace turnpike {

// RelaySockets owns the relay sockets of one worker in a slab: the low 32 bits of a RelayId are a
// dense index, the rest tells one user of a place from the next.
class RelaySockets {
 public:
  // `host` hears what peers send; it is not owned.
  RelaySockets(uv_loop_t* loop, TransportHost& host) : loop_(loop), host_(host) {}

  // Open binds a socket for `relay` to exactly `bind` and watches it. An error leaves nothing open;
  // the errno behind it is in last_errno().
  std::expected<void, OpenError> Open(RelayId relay, const TransportAddress& bind);

  // Close closes the socket of `relay`; nothing may wait in the outbox for it.
  void Close(RelayId relay);

  // Find returns the socket of `relay`, or nullptr when it is not open (any more). It stays where
  // it is until Close.
  UdpSocket* Find(RelayId relay);

  int last_errno() const { return last_errno_; }
  size_t size() const { return size_; }

 private:
  struct RelaySocket {
    void OnReadable();
    void OnErrorQueued();

    UdpSocket socket;
    RelayId id;
    RelaySockets* owner = nullptr;
    std::optional<UvPoll> poll;  // before `socket` is closed, watching must end
  };

  static constexpr size_t kChunk = 64;
  using Chunk = std::array<RelaySocket, kChunk>;

  static uint32_t IndexOf(RelayId relay) { return static_cast<uint32_t>(relay.value()); }
  RelaySocket* At(RelayId relay);
  RelaySocket& Place(RelayId relay);
  void Receive(RelaySocket& relay);
  void ReadErrors(const RelaySocket& relay);

  uv_loop_t* loop_;
  TransportHost& host_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  RelaySocket* reading_ = nullptr;  // whose batch is being handed over
  size_t size_ = 0;
  int last_errno_ = 0;
};

}  // namespace turnpike
