// A client for core scenarios, so that a test reads as a conversation.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/stun/channel_data.h"
#include "common/stun/message.h"
#include "server/turn/authenticate.h"
#include "tests/support/core_world.h"

namespace turnpike {

// Reply is an answer that a client got; it owns its bytes.
class Reply {
 public:
  explicit Reply(Bytes bytes);

  const stun::MessageView& view() const { return *view_; }
  const Bytes& bytes() const { return *bytes_; }
  bool success() const { return view_->message_class() == stun::Class::kSuccessResponse; }
  // code is 0 for a success response.
  int code() const;
  bool Has(stun::AttributeType type) const { return view_->Find(type).has_value(); }
  std::string Text(stun::AttributeType type) const;
  uint32_t U32(stun::AttributeType type) const;
  std::string XorAddress(stun::AttributeType type) const;
  // types lists the attributes in wire order, integrity and fingerprint included.
  std::vector<stun::AttributeType> types() const;

 private:
  std::shared_ptr<const Bytes> bytes_;  // never moves, so that the view stays good
  std::optional<stun::MessageView> view_;
};

// TestClient speaks for one client of a world. Its requests are authenticated once it has a nonce.
class TestClient {
 public:
  using Fill = std::function<void(stun::MessageBuilder&)>;

  TestClient(CoreWorld& world, std::string_view address, std::string_view username,
             std::string_view password, Transport transport = Transport::kUdp);

  Client address;
  std::string username;
  std::string password;
  std::string nonce;
  std::string realm;
  // How requests prove themselves: PASSWORD-ALGORITHM is sent when `negotiate` is set.
  bool negotiate = false;
  PasswordAlgorithm algorithm = PasswordAlgorithm::kMd5;
  stun::IntegrityKind integrity = stun::IntegrityKind::kSha1;
  bool use_userhash = false;
  bool fingerprint = false;

  // NewId returns another transaction id with each call.
  stun::TransactionId NewId();

  // Build makes an authenticated message; BuildPlain one without credentials.
  Bytes Build(stun::Method method, const Fill& fill, const stun::TransactionId& id);
  Bytes BuildPlain(stun::Class message_class, stun::Method method, const Fill& fill,
                   bool with_fingerprint = false);

  // Exchange sends a request and returns its only answer, or nullopt. Authenticated answers must
  // prove themselves with the client's key.
  std::optional<Reply> Exchange(const Bytes& request);
  Reply Request(stun::Method method, const Fill& fill = {});

  // Challenge fetches a nonce with an Allocate that has no credentials.
  Reply Challenge();

  // Allocate gets an allocation, and checks that the log is exactly the opening of its relay, whose
  // name it returns.
  std::string Allocate(const Fill& fill = {});
  Reply Permit(std::string_view peer);
  Reply Bind(uint16_t channel, std::string_view peer);
  Reply Refresh(std::optional<uint32_t> lifetime);

  std::optional<Relayed> Send(std::string_view peer, std::string_view payload,
                              bool dont_fragment = false);
  std::optional<Relayed> SendChannel(uint16_t channel, std::string_view payload);

  // Proves says whether `reply` carries the integrity that this client expects.
  bool Proves(const Reply& reply) const;
  CredentialKeys keys() const;

  CoreWorld& world() { return world_; }

 private:
  CoreWorld& world_;
  uint64_t next_id_ = 0;
};

// RequestedUdp adds REQUESTED-TRANSPORT for UDP.
void RequestedUdp(stun::MessageBuilder& builder);

// With returns a Fill that adds REQUESTED-TRANSPORT and then what `more` adds.
TestClient::Fill UdpAnd(TestClient::Fill more);

// Lines is what a log has to be.
using Lines = std::vector<std::string>;

}  // namespace turnpike
