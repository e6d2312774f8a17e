// A TransportHost and ForwardReports that remember what they were told, for tests of one transport.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/counter.h"
#include "server/io/outbox.h"
#include "server/io/transport.h"
#include "tests/server/io/test_socket.h"

namespace turnpike {

class FakeHost final : public TransportHost {
 public:
  struct FromClient {
    Client client;
    std::string bytes;
  };
  struct FromPeer {
    RelayId relay;
    PeerAddress peer;
    std::string bytes;
  };

  struct PeerError {
    RelayId relay;
    PeerAddress peer;
    IcmpError error;
  };

  ReceiveBatch& receive_batch() override { return batch_; }
  size_t OnClientDatagram(const Client& client, ByteSpan bytes, ByteSpan) override {
    from_clients.push_back({client, std::string(AsText(bytes))});
    return 0;
  }
  size_t OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes, ByteSpan) override {
    from_peers.push_back({relay, peer, std::string(AsText(bytes))});
    return 0;
  }
  void OnPeerError(RelayId relay, const PeerAddress& peer, const IcmpError& error) override {
    errors.push_back({relay, peer, error});
  }
  void OnBatchEnd() override {
    ++batches;
    batch_.Reset();
  }

  std::vector<FromClient> from_clients;
  std::vector<FromPeer> from_peers;
  std::vector<PeerError> errors;
  int batches = 0;
  Counter overflows;

 private:
  ReceiveBatch batch_{overflows};
};

class FakeReports final : public ForwardReports {
 public:
  void OnForwardSent(const Forward& forward, SendResult result, uint32_t count) override {
    reports.emplace_back(std::string(AsText(forward.payload)), result);
    datagrams += count;
  }

  std::vector<std::pair<std::string, SendResult>> reports;
  uint32_t datagrams = 0;  // of all reports
};

}  // namespace turnpike
