// The seam between the driver and what carries bytes to and from clients: UDP listeners, and stream
// connections beside them.
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "server/io/client_end.h"
#include "server/io/receive_batch.h"
#include "server/turn/types.h"

namespace turnpike {

// Link leads to the clients of a datagram listener. The driver keeps a table from LinkId to Link
// and routes Forwards and messages by it; ids from kFirstConnection on are those of stream
// connections.
class Link {
 public:
  virtual ~Link() = default;

  // udp_socket returns the socket of a datagram link. What goes out by it is gathered in the outbox
  // and leaves in batches at the end of the loop turn.
  virtual UdpSocket& udp_socket() = 0;

  // address is what the socket is bound to.
  virtual const TransportAddress& address() const = 0;
};

// TransportHost is what the driver is to its transports. A transport receives into `receive_batch`,
// hands over what came, and calls OnBatchEnd before it receives again: that is when buffers may be
// given back.
class TransportHost {
 public:
  virtual ~TransportHost() = default;

  virtual ReceiveBatch& receive_batch() = 0;

  // OnClientDatagram takes one datagram from a client, and as many of those that came in one run
  // with it as go the same way: `rest` begins with the next, each is as long as the one before, but
  // for the last. It returns how many of `rest`. The bytes must stay until the buffers are reset.
  virtual size_t OnClientDatagram(const Client& client, ByteSpan bytes, ByteSpan rest) = 0;

  // OnPeerDatagram does the same for what came in at the relay socket of `relay`.
  virtual size_t OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes,
                                ByteSpan rest) = 0;

  // OnPeerError takes what ICMP said about a datagram that left from `relay` for `peer`.
  virtual void OnPeerError(RelayId relay, const PeerAddress& peer, const IcmpError& error) = 0;

  // OnBatchEnd says that the whole batch has been handed over.
  virtual void OnBatchEnd() = 0;
};

// PeerStreamHost is what the driver is to TCP connections with peers. Its functions are those of
// TurnServer, and no output is executed within them.
class PeerStreamHost {
 public:
  virtual ~PeerStreamHost() = default;

  virtual std::optional<PeerStreamId> OnPeerAccepted(RelayId relay, const PeerAddress& peer) = 0;
  virtual void OnPeerConnected(PeerStreamId stream, bool connected) = 0;
  virtual MonoTime OnSpliced(PeerStreamId stream, Direction direction, size_t bytes) = 0;
  virtual void OnHalfClosed(PeerStreamId stream) = 0;
  virtual void OnPeerStreamClosed(PeerStreamId stream) = 0;
  virtual const Now& now() = 0;
};

// kFirstConnection is the first LinkId of a stream connection, kFirstDtlsSession that of a DTLS
// session, kFirstGuest that of a way to a client by another worker's socket. All are numbered on
// from there: an id comes again only after a billion of its kind, never while one has it.
inline constexpr uint32_t kFirstConnection = 1 << 16;
inline constexpr uint32_t kFirstDtlsSession = uint32_t{1} << 31;
inline constexpr uint32_t kFirstGuest = uint32_t{3} << 30;

// StreamHost is what the driver is to stream connections and DTLS sessions.
class StreamHost {
 public:
  virtual ~StreamHost() = default;

  // OnClientMessage takes one framed message; its bytes stay until OnReceiveMemoryFull or the end
  // of the loop turn. It may end connections, but destroys none.
  virtual void OnClientMessage(const Client& client, ByteSpan bytes) = 0;

  // OnReceiveMemoryFull sends what waits, so that received bytes may be overwritten.
  virtual void OnReceiveMemoryFull() = 0;

  // OnLinkClosed says that the connection `link` is gone and all of its Forwards are reported.
  virtual void OnLinkClosed(LinkId link) = 0;

  // OnClientEnd takes a connection that has become the client's end of a peer connection, for the
  // worker of `owner`. It still counts in ConnectionLimits.
  virtual void OnClientEnd(CoreId owner, ClientEnd end) = 0;

  // HasAllocation says whether the client behind `link` has a live allocation.
  virtual bool HasAllocation(LinkId link) const = 0;

  // now returns the time of this loop turn.
  virtual const Now& now() = 0;
};

}  // namespace turnpike
