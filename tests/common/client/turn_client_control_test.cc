// Allocation, refresh, permissions, channels and release of the TURN client.
#include <doctest/doctest.h>

#include "tests/common/client/scripted_server.h"
#include "tests/support/hex.h"

namespace turnpike {
namespace {

using namespace scripted;
using namespace std::chrono_literals;
using enum stun::AttributeType;
using State = TurnClient::State;

bool SignedBy(const Request& request, std::string_view password) {
  return request.view.VerifyIntegrity(stun::LongTermKeyMd5(kUser, kTestRealm, password));
}

TEST_CASE("8656_7_1: the first Allocate carries nothing but REQUESTED-TRANSPORT") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  const Request request = talk.Sent();
  CHECK(request.view.method() == stun::Method::kAllocate);
  CHECK(request.U32(kRequestedTransport) == 0x11000000u);
  int attributes = 0;
  request.view.ForEach([&](const stun::Attribute&) { ++attributes; });
  CHECK(attributes == 1);
  CHECK_FALSE(request.view.has_integrity());
}

TEST_CASE("8656_7_1: every option stands in the Allocate") {
  TurnClientOptions options = Options();
  options.lifetime = 777s;
  options.requested_family = AddressFamily::kIpv6;
  options.dont_fragment = true;
  options.even_port = EvenPort::kEvenAndReserveNext;
  options.reservation_token = ReservationToken{1, 2, 3, 4, 5, 6, 7, 8};
  options.fingerprint = true;
  Conversation talk(options);
  talk.client().Allocate(talk.now());
  const Request request = talk.Sent();
  CHECK(request.U32(kLifetime) == 777u);
  CHECK(request.U32(kRequestedAddressFamily) == 0x02000000u);
  CHECK(request.view.Find(kDontFragment)->empty());
  CHECK(std::ranges::equal(request.view.Find(kEvenPort).value(), FromHex("80")));
  CHECK(std::ranges::equal(request.view.Find(kReservationToken).value(),
                           FromHex("0102030405060708")));
  CHECK(request.view.has_fingerprint());
}

TEST_CASE("8489_9_2_3_2: a 401 is answered with credentials, and the grant is an event") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  const Request first = talk.Sent();
  talk.Receive(Challenge(first, 401, "nonce-1"));
  CHECK(talk.Quiet());
  const Request second = talk.Sent();
  CHECK(second.view.transaction_id() != first.view.transaction_id());
  CHECK(second.Text(kUsername) == kUser);
  CHECK(second.Text(kRealm) == kTestRealm);
  CHECK(second.Text(kNonce) == "nonce-1");
  CHECK(SignedBy(second, kPassword));
  CHECK(second.U32(kRequestedTransport));

  Reply reply(second, stun::Class::kSuccessResponse);
  AddGrant(reply, 600);
  reply->AddBytes(kReservationToken, FromHex("0807060504030201"));
  talk.Receive(reply.Protected());
  const auto allocated = talk.Event<Allocated>();
  CHECK(allocated.relayed->ToString() == "203.0.113.7:50000");
  CHECK(allocated.mapped.ToString() == "198.51.100.1:4000");
  CHECK(allocated.lifetime == 600s);
  CHECK(allocated.reservation_token == ReservationToken{8, 7, 6, 5, 4, 3, 2, 1});
  CHECK(talk.client().state() == State::kAllocated);
}

TEST_CASE("8489_9_2_5: a 401 to credentials, and a challenge without realm or nonce, are the end") {
  Conversation wrong;
  wrong.client().Allocate(wrong.now());
  wrong.Receive(Challenge(wrong.Sent(), 401, "nonce-1"));
  wrong.Receive(Challenge(wrong.Sent(), 401, "nonce-2"));
  CHECK(wrong.Event<Failed>().code == 401);
  CHECK(wrong.client().state() == State::kDone);
  CHECK(wrong.NothingSent());

  Conversation empty;
  empty.client().Allocate(empty.now());
  Reply reply(empty.Sent(), stun::Class::kErrorResponse);
  reply->AddErrorCode(401);
  empty.Receive(reply.Unprotected());
  CHECK(empty.Event<Failed>().code == 401);
}

TEST_CASE("8489_9_2_5: a challenge too long to be repeated is refused, not a crash") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  talk.Receive(Challenge(talk.Sent(), 401, std::string(764, 'n')));
  CHECK(talk.Event<Failed>().code == 401);
}

TEST_CASE("8489_9_2_5: a 438 is retried once with the new nonce") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  talk.Receive(Challenge(talk.Sent(), 401, "nonce-1"));
  talk.Receive(Challenge(talk.Sent(), 438, "nonce-2"));
  const Request retried = talk.Sent();
  CHECK(retried.Text(kNonce) == "nonce-2");
  SUBCASE("success") {
    talk.Receive(Grant(retried));
    talk.Event<Allocated>();
    // The next request has its own retry.
    talk.client().InstallPermission(Address("192.0.2.1:0").ip, talk.now());
    talk.Receive(Challenge(talk.Sent(), 438, "nonce-3"));
    CHECK(talk.Sent().Text(kNonce) == "nonce-3");
  }
  SUBCASE("another 438") {
    talk.Receive(Challenge(retried, 438, "nonce-3"));
    CHECK(talk.Event<Failed>().code == 438);
  }
}

TEST_CASE("8489_9_2_5: a response without the right integrity is as if never received") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  talk.Receive(Challenge(talk.Sent(), 401, "nonce-1"));
  const Request request = talk.Sent();
  for (const bool success : {true, false}) {
    for (const bool protect : {true, false}) {
      Reply reply(request, success ? stun::Class::kSuccessResponse : stun::Class::kErrorResponse);
      if (success) AddGrant(reply, 600);
      if (!success) reply->AddErrorCode(437);
      talk.Receive(protect ? reply.Protected("other") : reply.Unprotected());
      CHECK(talk.Quiet());
    }
  }
  talk.Receive(Grant(request));
  talk.Event<Allocated>();
  talk.Receive(Grant(request));  // a duplicate is nobody's response any more
  CHECK(talk.Quiet());
}

TEST_CASE("8489_6_3_3: a response with an unknown comprehension-required attribute is discarded") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  talk.Receive(Challenge(talk.Sent(), 401, "nonce-1"));
  const Request request = talk.Sent();
  Reply reply(request, stun::Class::kSuccessResponse);
  AddGrant(reply, 600);
  reply->AddFlag(static_cast<stun::AttributeType>(0x7FFF));
  talk.Receive(reply.Protected());
  CHECK(talk.Quiet());
}

TEST_CASE("8656_7_3: a success without its addresses or lifetime is a failure") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  talk.Receive(Challenge(talk.Sent(), 401, "nonce-1"));
  talk.Receive(Success(talk.Sent()));
  CHECK(talk.Event<Failed>().request == RequestKind::kAllocate);
}

TEST_CASE("8656_7_4: an error that carries integrity ends the Allocate with its code") {
  for (const uint16_t code : std::initializer_list<uint16_t>{403, 437, 441, 442, 486, 508}) {
    Conversation talk;
    talk.client().Allocate(talk.now());
    talk.Receive(Challenge(talk.Sent(), 401, "nonce-1"));
    talk.Receive(Error(talk.Sent(), code));
    CHECK(talk.Event<Failed>().code == code);
    CHECK_FALSE(talk.client().NextDeadline());
  }
}

TEST_CASE("8656_8: the allocation is refreshed a minute before it expires, or at half its life") {
  Conversation talk;
  talk.Allocate(600);
  const MonoTime start = talk.now();
  CHECK(talk.WaitForDeadline(start) == 540s);
  const Request refresh = talk.Sent();
  CHECK(refresh.view.method() == stun::Method::kRefresh);
  CHECK_FALSE(refresh.U32(kLifetime));
  CHECK(SignedBy(refresh, kPassword));
  Reply reply(refresh, stun::Class::kSuccessResponse);
  reply->AddU32(kLifetime, 100);
  talk.Receive(reply.Protected());
  CHECK(talk.Quiet());
  CHECK(talk.WaitForDeadline(start) == 540s + 50s);
}

TEST_CASE("8656_8: a refused Refresh is the end") {
  Conversation talk;
  talk.Allocate();
  talk.Wait(540s);
  talk.Receive(Error(talk.Sent(), 437));
  const auto failed = talk.Event<Failed>();
  CHECK(failed.request == RequestKind::kRefresh);
  CHECK(failed.code == 437);
  CHECK(talk.client().state() == State::kDone);
}

TEST_CASE("8656_10: a permission is asked for by IP address and renewed each 240 s") {
  Conversation talk;
  talk.Allocate();
  const MonoTime start = talk.now();
  talk.client().InstallPermission(Address("192.0.2.1:0").ip, talk.now());
  const Request request = talk.Sent();
  CHECK(request.view.method() == stun::Method::kCreatePermission);
  CHECK(request.PeerAddressIn() == Address("192.0.2.1:0"));
  talk.client().InstallPermission(Address("192.0.2.1:0").ip, talk.now());
  CHECK(talk.NothingSent());
  talk.Receive(Success(request));
  CHECK(talk.Event<PermissionInstalled>().peer == Address("192.0.2.1:0").ip);
  CHECK(talk.WaitForDeadline(start) == 240s);
  talk.Receive(Success(talk.Sent()));
  CHECK(talk.Quiet());
  CHECK(talk.WaitForDeadline(start) == 480s);
}

TEST_CASE("8656_10: a refused permission is gone, the allocation stays") {
  Conversation talk;
  talk.Allocate();
  talk.client().InstallPermission(Address("127.0.0.1:0").ip, talk.now());
  talk.Receive(Error(talk.Sent(), 403));
  const auto failed = talk.Event<Failed>();
  CHECK(failed.request == RequestKind::kCreatePermission);
  CHECK(failed.code == 403);
  CHECK(failed.peer == Address("127.0.0.1:0"));
  CHECK(talk.client().state() == State::kAllocated);
  talk.client().InstallPermission(Address("127.0.0.1:0").ip, talk.now());
  CHECK(talk.Sent().view.method() == stun::Method::kCreatePermission);
}

TEST_CASE("8656_12_1: channels are numbered from 0x4000 and renewed each 240 s") {
  Conversation talk;
  talk.Allocate();
  const MonoTime start = talk.now();
  CHECK(talk.client().BindChannel(Peer("192.0.2.1:5000"), talk.now()) == stun::kFirstChannel);
  const Request request = talk.Sent();
  CHECK(request.view.method() == stun::Method::kChannelBind);
  CHECK(request.U32(kChannelNumber) == 0x40000000u);
  CHECK(request.PeerAddressIn() == Address("192.0.2.1:5000"));
  CHECK(talk.client().BindChannel(Peer("192.0.2.1:5000"), talk.now()) == stun::kFirstChannel);
  CHECK(talk.NothingSent());
  talk.Receive(Success(request));
  CHECK(talk.Event<ChannelBound>().channel == stun::kFirstChannel);
  CHECK(talk.Bind("192.0.2.1:5001") == stun::ChannelNumber(0x4001));
  talk.WaitForDeadline(start);
  CHECK(talk.now() - start == 240s);
  CHECK(talk.client().PollTransmit());
  CHECK(talk.client().PollTransmit());
  CHECK(talk.NothingSent());
}

TEST_CASE("8656_12_2: a refused channel is gone and its number is not used again") {
  Conversation talk;
  talk.Allocate();
  CHECK(talk.client().BindChannel(Peer("192.0.2.1:5000"), talk.now()));
  talk.Receive(Error(talk.Sent(), 400));
  const auto failed = talk.Event<Failed>();
  CHECK(failed.request == RequestKind::kChannelBind);
  CHECK(failed.peer == Address("192.0.2.1:5000"));
  CHECK(talk.client().BindChannel(Peer("192.0.2.1:5000"), talk.now()) ==
        stun::ChannelNumber(0x4001));
}

TEST_CASE("8656_12_1: after 4096 channels there is no number left") {
  Conversation talk;
  talk.Allocate();
  for (uint16_t port = 1; port <= 4096; ++port) {
    REQUIRE(talk.client().BindChannel(PeerAddress({Address("192.0.2.1:0").ip, port}), talk.now()));
  }
  CHECK_FALSE(talk.client().BindChannel(Peer("192.0.2.2:1"), talk.now()));
}

TEST_CASE("8656_8: release is a Refresh with lifetime 0, and a 437 is as good as a success") {
  for (const bool known : {true, false}) {
    Conversation talk;
    talk.Allocate();
    talk.Permit("192.0.2.1");
    talk.client().Release(talk.now());
    const Request request = talk.Sent();
    CHECK(request.view.method() == stun::Method::kRefresh);
    CHECK(request.U32(kLifetime) == 0u);
    talk.Receive(known ? Success(request) : Error(request, 437));
    talk.Event<Released>();
    CHECK(talk.client().state() == State::kDone);
    CHECK_FALSE(talk.client().NextDeadline());
  }
}

TEST_CASE("a client that is done does nothing any more") {
  Conversation talk;
  talk.Allocate();
  talk.client().Release(talk.now());
  talk.Receive(Success(talk.Sent()));
  talk.Event<Released>();
  talk.client().Allocate(talk.now());
  talk.client().Release(talk.now());
  talk.client().InstallPermission(Address("192.0.2.1:0").ip, talk.now());
  CHECK_FALSE(talk.client().BindChannel(Peer("192.0.2.1:1"), talk.now()));
  CHECK_FALSE(talk.client().HeadFor(Peer("192.0.2.1:1"), 1));
  talk.Wait(3600s);
  CHECK(talk.NothingSent());
  CHECK(talk.Quiet());
}

}  // namespace
}  // namespace turnpike
