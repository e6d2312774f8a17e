// A world with a client over TCP, whose allocation relays TCP (RFC 6062).
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/expect.h"

namespace turnpike {

inline void RequestedTcp(stun::MessageBuilder& builder) {
  builder.AddU32(stun::AttributeType::kRequestedTransport, 6u << 24);
}

inline TestClient::Fill PeerIs(std::string_view peer) {
  return [peer = std::string(peer)](stun::MessageBuilder& builder) {
    builder.AddXorAddress(stun::AttributeType::kXorPeerAddress, Address(peer));
  };
}

inline TestClient::Fill ConnectionIs(uint32_t id) {
  return [id](stun::MessageBuilder& builder) {
    builder.AddU32(stun::AttributeType::kConnectionId, id);
  };
}

struct TcpWorld : CoreWorld {
  explicit TcpWorld(Settings settings = DefaultSettings()) : CoreWorld(std::move(settings)) {}

  // Allocate makes alice's allocation and returns its relay.
  std::string Allocate() {
    REQUIRE(alice.Request(stun::Method::kAllocate, RequestedTcp).code() == 0);
    const Lines log = TakeLog();
    REQUIRE(log.size() == 1);
    REQUIRE(log[0].ends_with(" 5.5.5.5 tcp slot"));
    return log[0].substr(5, log[0].find(' ', 5) - 5);
  }

  // StartConnect sends alice's Connect and returns whether it got no answer yet.
  bool StartConnect(std::string_view peer) {
    if (alice.nonce.empty()) alice.Challenge();
    return !alice.Exchange(alice.Build(stun::Method::kConnect, PeerIs(peer), alice.NewId()));
  }

  // Connect brings alice to an established connection, and returns its CONNECTION-ID.
  uint32_t Connect(std::string_view peer, const std::string& stream) {
    REQUIRE(StartConnect(peer));
    REQUIRE(TakeLog().size() == 1);
    Connected(stream, true);
    return TakeReply(alice).U32(stun::AttributeType::kConnectionId);
  }

  Reply TakeReply(const TestClient& client) {
    auto bytes = TakeMessage(client.address);
    REQUIRE(bytes);
    return Reply(std::move(*bytes));
  }

  // DataClient is another connection of the client behind `control`, which proves itself with what
  // it knows from there.
  TestClient DataClient(const TestClient& control, std::string_view address) {
    TestClient data(*this, address, control.username, control.password,
                    control.address.five_tuple.transport);
    data.nonce = control.nonce;
    data.realm = control.realm;
    return data;
  }

  TestClient alice{*this, "7.7.7.7:1000", "alice", "s3cret", Transport::kTcp};
};

}  // namespace turnpike
