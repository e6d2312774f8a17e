#include "server/io/stun_query.h"

#include <doctest/doctest.h>

#include <thread>

#include "common/stun/message.h"
#include "tests/server/io/test_socket.h"

namespace turnpike {
namespace {

// Answer takes one request and says that it came from `seen`, under the id of the request XORed
// with `twist`.
void Answer(TestSocket& server, const TransportAddress& seen, uint8_t twist = 0) {
  const auto datagram = server.Receive();
  const auto request = stun::MessageView::Parse(AsBytes(datagram.bytes));
  if (!request) return;
  stun::TransactionId id = request->transaction_id();
  id[0] ^= twist;
  std::array<uint8_t, 128> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kSuccessResponse, stun::Method::kBinding, id);
  builder.AddXorAddress(stun::AttributeType::kXorMappedAddress, seen);
  server.Send(AsText(builder.FinishUnauthenticated(false)), datagram.from);
}

}  // namespace

TEST_CASE("8489_6_2_1_a_lost_request_is_sent_again_and_a_strange_answer_is_not_taken") {
  for (const char* loopback : {"127.0.0.1:0", "[::1]:0"}) {
    TestSocket server(Address(loopback));
    const bool is_v4 = server.address().ip.is_v4();
    const TransportAddress seen = Address(is_v4 ? "203.0.113.7:9" : "[2001:db8::7]:9");
    std::thread other([&] {
      server.Receive();  // lost
      Answer(server, seen, 1);
      Answer(server, seen);
    });
    const auto found = QueryPublicAddress(
        server.address().ip,
        {.server = server.address().ToString(), .rto = std::chrono::milliseconds(20)});
    other.join();
    REQUIRE(found.has_value());
    CHECK(*found == seen.ip);
  }
}

TEST_CASE("a STUN server that is silent, or has no address, is named") {
  TestSocket silent(Address("127.0.0.1:0"));
  const std::string name = silent.address().ToString();
  const IpAddress bind = silent.address().ip;
  CHECK(
      QueryPublicAddress(bind, {.server = name, .rto = std::chrono::milliseconds(1), .sendings = 2})
          .error() == "the STUN server " + name + " does not answer 127.0.0.1");
  CHECK(QueryPublicAddress(bind, {.server = "[::1]:3478"}).error() ==
        "the STUN server [::1]:3478 has no address of the family of 127.0.0.1");
}

}  // namespace turnpike
