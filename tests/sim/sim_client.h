// A simulated TURN client: it speaks the protocol well enough to get what it wants, changes its
// mind, repeats itself, talks nonsense and disappears. It never looks into the server.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/stun/message.h"
#include "server/turn/types.h"
#include "tests/sim/auditor.h"
#include "tests/sim/timeline.h"

namespace turnpike::sim {

// Login is who a client is, and who the operator says that is.
struct Login {
  std::string username;
  std::string password;
  std::string account;
  std::string label;
};

class SimClient;

// Surroundings are what a client can reach.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual void ToServer(SimClient& client, std::vector<uint8_t> message) = 0;
  // Connect gives a new address, and a connection where the transport has one. Disconnect ends it.
  virtual void Connect(SimClient& client) = 0;
  virtual void Disconnect(SimClient& client) = 0;
  // Move gives a new address, or connection, for the allocation that the client has.
  virtual void Move(SimClient& client) = 0;
  // OpenData opens another connection of `client` and sends `bind` and then `data` on it. SendData
  // sends more, CloseData closes it; either may find it gone.
  virtual LinkId OpenData(SimClient& client, std::vector<uint8_t> bind,
                          std::vector<uint8_t> data) = 0;
  virtual void SendData(LinkId link, std::vector<uint8_t> data) = 0;
  virtual void CloseData(LinkId link) = 0;
  // Forge sends a datagram to the server from an address that is not the client's.
  virtual void Forge(SimClient& client, std::vector<uint8_t> message) = 0;
  // AnyPeer is a peer, possibly one that nobody may reach, or another client's relayed address.
  virtual TransportAddress AnyPeer() = 0;
  // Relayed publishes a relayed address: others may send to it.
  virtual void Relayed(const TransportAddress& address) = 0;
};

// SimClient is one client with its allocation, if any.
class SimClient {
 public:
  SimClient(Surroundings& world, Dice& dice, Transport transport, Login login,
            const std::string& realm);

  // Act does one thing, drawn from the dice, and returns how long to wait before the next.
  Duration Act();

  // OnMessage takes a message from the server, OnDisconnected the loss of the connection.
  void OnMessage(Bytes message);
  void OnDisconnected() { connected_ = false; }

  // SetAddress is where Connect or Move has put the client; Forget drops what belongs to an
  // allocation.
  void SetAddress(const TransportAddress& address, LinkId link);
  void Forget();
  const TransportAddress& address() const { return address_; }
  LinkId link() const { return link_; }
  Transport transport() const { return transport_; }
  bool connected() const { return connected_; }
  const Login& login() const { return login_; }

 private:
  using Fill = std::function<void(stun::MessageBuilder&)>;
  struct Pending {
    stun::Method method = stun::Method::kBinding;
    Fill fill;
    int tries = 0;
    std::function<void(const stun::MessageView&)> then;
  };

  void Request(Pending pending);
  std::vector<uint8_t> Build(const stun::TransactionId& id, stun::Method method, const Fill& fill);
  void OnError(Pending pending, const stun::MessageView& message);

  void Allocate();
  void OnAllocated(const stun::MessageView& message);
  void Refresh(uint32_t lifetime);
  void Move();
  void Permit(const TransportAddress& peer);
  void Bind(const TransportAddress& peer);
  void ActWithAllocation();
  void ActWithTcpAllocation();
  void ConnectTo(const TransportAddress& peer);
  void BindData(const stun::MessageView& message);
  void SendChannelData();
  void SendIndication(const TransportAddress& peer, bool dont_fragment);
  void SendNonsense();
  std::vector<uint8_t> Payload();
  void Emit(std::vector<uint8_t> message);

  Surroundings& world_;
  Dice& dice_;
  const Transport transport_;
  const Login login_;
  const std::string realm_;
  TransportAddress address_;
  LinkId link_;
  bool connected_ = false;

  std::string nonce_;
  bool allocated_ = false;
  std::vector<uint8_t> token_;
  std::vector<uint8_t> ticket_;
  std::map<stun::TransactionId, Pending> pending_;
  std::map<uint16_t, TransportAddress> channels_;
  std::vector<TransportAddress> permitted_;
  std::vector<uint8_t> last_request_;
  bool relays_tcp_ = false;
  std::vector<LinkId> data_;  // data connections, some of which are gone
};

}  // namespace turnpike::sim
