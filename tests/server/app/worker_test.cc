#include "server/worker.h"

#include <doctest/doctest.h>

#include "common/stun/message.h"
#include "tests/server/io/io_world.h"

namespace turnpike {
namespace {

struct WorkerWorld {
  WorkerWorld() {
    setup.turn = TestTurnOptions();
    setup.udp_listeners = {Address("127.0.0.1:0"), Address("[::1]:0")};
    setup.directory = &ports;
    setup.slots = slots.get();
  }

  TestDirectory directory;
  std::unique_ptr<SlotFile> slots =
      *SlotFile::Open(directory.path() + "/live.slots", 1024, {"n", "r", "e", {}});
  Directory ports{{*IpAddress::Parse("127.0.0.1"), *IpAddress::Parse("::1")}, 33000, 33999};
  WorkerSetup setup;
};

}  // namespace

TEST_CASE("Binding is answered over IPv4 and IPv6") {
  WorkerWorld world;
  const auto worker = *Worker::Open(world.setup);
  worker->Start();
  REQUIRE(worker->listeners().size() == 2);
  for (const auto& [server, plain, dtls] : worker->listeners()) {
    CAPTURE(server.ToString());
    TestSocket client({server.ip, 0});
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    stun::MessageBuilder request(buffer, stun::Class::kRequest, stun::Method::kBinding, {1, 2, 3});
    client.Send(AsText(request.FinishUnauthenticated(false)), server);
    const auto datagram = client.Receive();
    CHECK(datagram.from == server);
    const auto answer = stun::MessageView::Parse(AsBytes(datagram.bytes));
    REQUIRE(answer.has_value());
    CHECK(answer->message_class() == stun::Class::kSuccessResponse);
  }
}

TEST_CASE("a call through the worker's thread; stopping closes it as drained, with every byte") {
  WorkerWorld world;
  const auto worker = *Worker::Open(world.setup);
  worker->Start();
  const TransportAddress server = worker->listeners()[0].address;
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  TestSocket peer(Address("127.0.0.1:0"));
  client.turn().Allocate(LiveClient::Now());
  const auto allocated = client.Await<Allocated>();
  REQUIRE(allocated.has_value());
  client.turn().BindChannel(PeerAddress(peer.address()), LiveClient::Now());
  REQUIRE(client.Await<ChannelBound>().has_value());
  for (int i = 0; i < 10; ++i) {
    client.SendTo(peer.address(), "there");
    CHECK(peer.Receive().bytes == "there");
    peer.Send("back", allocated->relayed.value());
    CHECK(client.AwaitData() == "back");
  }
  CHECK(worker->view().stats->allocations_created.Get() == 1);
  worker->Stop();
  worker->Join();
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.closed);
  CHECK(slot.close_reason == CloseReason::kDrained);
  CHECK(slot.totals.payload_bytes == std::array<uint64_t, 2>{50, 40});
  CHECK(world.ports.ports_in_use() == 0);
}

TEST_CASE("a draining worker serves its calls and refuses new ones") {
  WorkerWorld world;
  const auto worker = *Worker::Open(world.setup);
  worker->Start();
  const TransportAddress server = worker->listeners()[0].address;
  LiveClient before(Address("127.0.0.1:0"), server, Alice());
  before.turn().Allocate(LiveClient::Now());
  REQUIRE(before.Await<Allocated>().has_value());
  worker->Drain();
  LiveClient after(Address("127.0.0.1:0"), server, Alice());
  after.turn().Allocate(LiveClient::Now());
  const auto failed = after.Await<Failed>();
  REQUIRE(failed.has_value());
  CHECK(failed->code == 508);
  before.turn().Release(LiveClient::Now());
  CHECK(before.Await<Released>().has_value());
}

TEST_CASE("a worker that cannot listen says where, and one that never started just goes away") {
  WorkerWorld world;
  {
    const auto idle = *Worker::Open(world.setup);
  }
  world.setup.udp_listeners = {Address("192.0.2.1:3478")};
  const auto worker = Worker::Open(world.setup);
  REQUIRE(!worker.has_value());
  CHECK(worker.error().find("192.0.2.1:3478") != std::string::npos);
}

}  // namespace turnpike
