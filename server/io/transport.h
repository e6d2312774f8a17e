// The seam between the driver and what carries bytes to and from clients: UDP listeners now, stream
// connections beside them.
#pragma once

#include "common/base/bytes.h"
#include "server/io/receive_batch.h"
#include "server/turn/types.h"

namespace turnpike {

// Link leads to clients: a UDP listener to many, a stream connection to one. The driver keeps a
// table from LinkId to Link and routes Forwards and messages by it.
class Link {
 public:
  virtual ~Link() = default;

  // udp_socket returns the socket of a datagram link. What goes out by it is gathered in the outbox
  // and leaves in batches at the end of the loop turn.
  virtual UdpSocket& udp_socket() = 0;
};

// TransportHost is what the driver is to its transports. A transport receives into `receive_batch`,
// hands over what came, and calls OnBatchEnd before it receives again: that is when buffers may be
// given back.
class TransportHost {
 public:
  virtual ~TransportHost() = default;

  virtual ReceiveBatch& receive_batch() = 0;

  // OnClientMessage takes one datagram from a client. The bytes must stay until the buffers are
  // reset.
  virtual void OnClientMessage(const Client& client, ByteSpan bytes) = 0;

  // OnPeerDatagram takes one datagram that came in at the relay socket of `relay`.
  virtual void OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes) = 0;

  // OnBatchEnd says that the whole batch has been handed over.
  virtual void OnBatchEnd() = 0;
};

}  // namespace turnpike
