#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;

TEST_CASE("8656_11_1_a_send_indication_without_peer_or_data_is_discarded") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  const auto send = [&](const TestClient::Fill& fill) {
    return world.FromClient(alice.address,
                            alice.BuildPlain(stun::Class::kIndication, stun::Method::kSend, fill));
  };
  const auto add_peer = [](stun::MessageBuilder& builder) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("9.9.9.9:9"));
  };
  const auto add_data = [](stun::MessageBuilder& builder) {
    builder.AddText(AttributeType::kData, "x");
  };
  CHECK_FALSE(send(add_peer).has_value());
  CHECK_FALSE(send(add_data).has_value());
  CHECK(send([&](stun::MessageBuilder& builder) {
          add_peer(builder);
          add_data(builder);
        }).has_value());
}

TEST_CASE("8656_14_dont_fragment_holds_for_the_one_datagram_that_asks_for_it") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.Send("9.9.9.9:9", "x", true)->dont_fragment);
  CHECK_FALSE(alice.Send("9.9.9.9:9", "x")->dont_fragment);
  CHECK_FALSE(alice.SendChannel(0x4000, "x")->dont_fragment);
}

}  // namespace turnpike
