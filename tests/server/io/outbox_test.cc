#include "server/io/outbox.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "common/stun/channel_data.h"
#include "tests/server/io/fake_host.h"

namespace turnpike {
namespace {

UdpSocket Sender(const char* bind = "127.0.0.1:0") { return *OpenUdpSocket(Address(bind), {}); }

Forward ToPeer(const TransportAddress& peer, std::string_view payload) {
  Forward forward;
  forward.to = peer;
  forward.payload = AsBytes(payload);
  return forward;
}

}  // namespace

TEST_CASE("header, payload and padding leave as one datagram") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  TestSocket client(Address("127.0.0.1:0"));
  Forward forward = ToPeer(client.address(), "abcde");
  forward.direction = Direction::kPeerToClient;
  forward.header_size = 4;
  forward.header = {0x40, 0x00, 0x00, 0x05};
  forward.padding_size = 3;
  outbox.Add(socket, forward);
  CHECK(reports.reports.empty());
  outbox.Flush();
  CHECK(client.Receive().bytes == std::string("\x40\x00\x00\x05"
                                              "abcde\0\0\0",
                                              12));
  REQUIRE(reports.reports.size() == 1);
  CHECK(reports.reports[0].second.has_value());
  CHECK(outbox.empty());
}

TEST_CASE(
    "a packet that fails in the middle is reported with its own reason, and the rest is sent") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  TestSocket peer(Address("127.0.0.1:0"));
  const std::string huge(65508, 'x');  // one byte more than an IPv4 datagram holds
  outbox.Add(socket, ToPeer(peer.address(), "one"));
  outbox.Add(socket, ToPeer(peer.address(), huge));
  outbox.Add(socket, ToPeer(peer.address(), "two"));
  outbox.Add(socket, ToPeer(Address("255.255.255.255:9"), "broadcast"));
  outbox.Add(socket, ToPeer(Address("127.0.0.1:0"), "port 0"));
  outbox.Add(socket, ToPeer(peer.address(), ""));
  outbox.Flush();
  REQUIRE(reports.reports.size() == 6);
  CHECK(reports.reports[0] == std::pair(std::string("one"), SendResult()));
  CHECK(reports.reports[1].second == SendResult(std::unexpected(DropReason::kTooLarge)));
  CHECK(reports.reports[2] == std::pair(std::string("two"), SendResult()));
  CHECK(reports.reports[3].second == SendResult(std::unexpected(DropReason::kUnreachable)));
  CHECK(reports.reports[4].second == SendResult(std::unexpected(DropReason::kSendFailed)));
  CHECK(reports.reports[5].second.has_value());
  CHECK(peer.Receive().bytes == "one");
  CHECK(peer.Receive().bytes == "two");
  const auto empty = peer.Receive();
  CHECK(empty.bytes.empty());
  CHECK(empty.from == LocalAddress(socket));
}

TEST_CASE("datagrams of one size to one address leave as a run, each with its own header") {
  for (const UdpPath path : {UdpPath::kPlain, UdpPath::kBatch, UdpPath::kOffload}) {
    CAPTURE(UdpPathName(path));
    FakeReports reports;
    Outbox outbox(reports, path);
    UdpSocket socket = Sender();
    TestSocket one(Address("127.0.0.1:0"));
    TestSocket other(Address("127.0.0.1:0"));
    std::vector<std::string> payloads;
    for (int i = 0; i < 40; ++i) payloads.push_back(std::to_string(100 + i));
    payloads[20] = "another size";
    for (size_t i = 0; i < payloads.size(); ++i) {
      Forward forward = ToPeer(i % 10 == 9 ? other.address() : one.address(), payloads[i]);
      forward.header_size = 4;
      forward.header = {0x40, 0x00, 0x00, static_cast<uint8_t>(i)};
      forward.padding_size = static_cast<uint8_t>(stun::PaddingFor(payloads[i].size()));
      outbox.Add(socket, forward);
    }
    outbox.Flush();
    REQUIRE(reports.reports.size() == payloads.size());
    for (size_t i = 0; i < payloads.size(); ++i) {
      CHECK(reports.reports[i] == std::pair(payloads[i], SendResult()));
      const std::string bytes = (i % 10 == 9 ? other : one).Receive().bytes;
      CHECK(bytes.substr(3, 1 + payloads[i].size()) == static_cast<char>(i) + payloads[i]);
      CHECK(bytes.size() == 4 + payloads[i].size() + stun::PaddingFor(payloads[i].size()));
    }
  }
}

TEST_CASE("what is sealed leaves as it is, and its Forward is what is reported") {
  for (const UdpPath path : {UdpPath::kPlain, UdpPath::kOffload}) {
    FakeReports reports;
    Outbox outbox(reports, path);
    UdpSocket socket = Sender();
    TestSocket client(Address("127.0.0.1:0"));
    Forward forward = ToPeer(client.address(), "payload");
    forward.header_size = 4;
    // As many of one size as make a run, then a shorter one that ends it.
    for (const char c : {'a', 'b', 'c', 'd'}) {
      outbox.Add(socket, forward, std::vector<uint8_t>(100, static_cast<uint8_t>(c)));
    }
    outbox.Add(socket, forward, std::vector<uint8_t>(7, 'e'));
    outbox.Flush();
    for (const char c : {'a', 'b', 'c', 'd'}) CHECK(client.Receive().bytes == std::string(100, c));
    CHECK(client.Receive().bytes == "eeeeeee");
    REQUIRE(reports.reports.size() == 5);
    for (const auto& report : reports.reports) {
      CHECK(report == std::pair(std::string("payload"), SendResult()));
    }
    outbox.Add(socket, forward);  // nothing is left of what was sealed
    outbox.Flush();
    CHECK(client.Receive().bytes == std::string("\0\0\0\0payload", 11));
  }
}

TEST_CASE("a Forward that stands for a run is sent in full, each datagram with its own payload") {
  constexpr uint32_t kCount = 150;  // more than one batch holds
  constexpr size_t kStride = 9;  // "abcd00042": a header that is not the payload's, and the payload
  std::string input;
  for (uint32_t i = 0; i < kCount; ++i) input += "abcd" + std::to_string(10000 + i);
  for (const UdpPath path : {UdpPath::kPlain, UdpPath::kBatch, UdpPath::kOffload}) {
    CAPTURE(UdpPathName(path));
    FakeReports reports;
    Outbox outbox(reports, path);
    UdpSocket socket = Sender();
    TestSocket peer(Address("127.0.0.1:0"));
    outbox.Add(socket, ToPeer(peer.address(), "before"));
    outbox.Add(socket, ToPeer(peer.address(), std::string_view(input).substr(4, 5)), kCount,
               kStride);
    outbox.Add(socket, ToPeer(peer.address(), "after"));
    outbox.Flush();
    CHECK(outbox.empty());
    CHECK(reports.datagrams == kCount + 2);
    for (const auto& report : reports.reports) CHECK(report.second.has_value());
    CHECK(peer.Receive().bytes == "before");
    for (uint32_t i = 0; i < kCount; ++i) CHECK(peer.Receive().bytes == std::to_string(10000 + i));
    CHECK(peer.Receive().bytes == "after");
  }
}

TEST_CASE("a Forward that stands for a run that the kernel refuses is reported in full") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  const std::string input(40, 'x');
  outbox.Add(socket, ToPeer(Address("255.255.255.255:9"), std::string_view(input).substr(0, 4)), 10,
             4);
  outbox.Flush();
  CHECK(reports.datagrams == 10);
  for (const auto& report : reports.reports) {
    CHECK(report.second == SendResult(std::unexpected(DropReason::kUnreachable)));
  }
}

TEST_CASE("a run that cannot leave as one goes datagram by datagram, each with its own reason") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  TestSocket peer(Address("127.0.0.1:0"));
  for (int i = 0; i < 3; ++i) outbox.Add(socket, ToPeer(peer.address(), "before"));
  for (int i = 0; i < 4; ++i) outbox.Add(socket, ToPeer(Address("255.255.255.255:9"), "lost"));
  for (int i = 0; i < 4; ++i) outbox.Add(socket, ToPeer(Address("127.0.0.1:0"), "port 0"));
  for (int i = 0; i < 3; ++i) outbox.Add(socket, ToPeer(peer.address(), "after"));
  outbox.Flush();
  REQUIRE(reports.reports.size() == 14);
  for (size_t i = 0; i < 14; ++i) {
    const auto& [payload, result] = reports.reports[i];
    if (payload == "lost") {
      CHECK(result == SendResult(std::unexpected(DropReason::kUnreachable)));
    } else if (payload == "port 0") {
      CHECK(result == SendResult(std::unexpected(DropReason::kSendFailed)));
    } else {
      CHECK(result.has_value());
    }
  }
  for (int i = 0; i < 3; ++i) CHECK(peer.Receive().bytes == "before");
  for (int i = 0; i < 3; ++i) CHECK(peer.Receive().bytes == "after");
}

TEST_CASE("an ICMP answer to an earlier datagram does not eat the next one") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  const int on = 1;  // with IP_RECVERR the kernel reports ICMP errors on unconnected sockets too
  setsockopt(socket.fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
  TransportAddress closed;
  {
    TestSocket gone(Address("127.0.0.1:0"));
    closed = gone.address();
  }
  TestSocket peer(Address("127.0.0.1:0"));
  outbox.Add(socket, ToPeer(closed, "refused"));
  outbox.Flush();
  outbox.Add(socket, ToPeer(peer.address(), "next"));
  outbox.Flush();
  REQUIRE(reports.reports.size() == 2);
  CHECK(reports.reports[1].second.has_value());
  CHECK(peer.Receive().bytes == "next");
}

TEST_CASE("many sockets and more than one run: order per socket, all reported") {
  FakeReports reports;
  Outbox outbox(reports);
  std::vector<UdpSocket> sockets;
  for (int i = 0; i < 3; ++i) sockets.push_back(Sender());
  TestSocket peer(Address("127.0.0.1:0"));
  std::vector<std::string> payloads;
  for (size_t i = 0; i < Outbox::kCapacity; ++i) payloads.push_back(std::to_string(i));
  for (size_t i = 0; i < Outbox::kCapacity; ++i) {
    outbox.Add(sockets[i % 3], ToPeer(peer.address(), payloads[i]));
  }
  CHECK(outbox.full());
  outbox.Flush();
  CHECK(reports.reports.size() == Outbox::kCapacity);
  std::vector<int> last(3, -1);
  for (size_t i = 0; i < Outbox::kCapacity; ++i) {
    const auto datagram = peer.Receive();
    const int number = std::stoi(datagram.bytes);
    const auto sender = static_cast<size_t>(number % 3);
    CHECK(datagram.from == LocalAddress(sockets[sender]));
    CHECK(number > last[sender]);
    last[sender] = number;
  }
}

TEST_CASE("messages share the chain with Forwards and are not reported") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  TestSocket client(Address("127.0.0.1:0"));
  outbox.Add(socket, ToPeer(client.address(), "data"));
  outbox.Add(socket, SendMessage{LinkId(0), LocalAddress(socket), client.address(), {1, 2, 3}});
  outbox.Add(socket, ToPeer(client.address(), "more"));
  outbox.Flush();
  CHECK(client.Receive().bytes == "data");
  CHECK(client.Receive().bytes == "\x01\x02\x03");
  CHECK(client.Receive().bytes == "more");
  CHECK(reports.reports.size() == 2);
}

TEST_CASE("8656_11_1_dont_fragment_is_set_for_the_datagram_that_asks_and_cleared_for_the_next") {
  FakeReports reports;
  Outbox outbox(reports);
  UdpSocket socket = Sender();
  TestSocket peer(Address("127.0.0.1:0"));
  const auto discover = [&] {
    int value = -1;
    socklen_t size = sizeof(value);
    getsockopt(socket.fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, &value, &size);
    return value;
  };
  CHECK(discover() == IP_PMTUDISC_DONT);
  Forward forward = ToPeer(peer.address(), "df");
  forward.dont_fragment = true;
  outbox.Add(socket, ToPeer(peer.address(), "plain"));
  outbox.Add(socket, forward);
  outbox.Flush();
  CHECK(discover() == IP_PMTUDISC_PROBE);
  outbox.Add(socket, ToPeer(peer.address(), "plain again"));
  outbox.Flush();
  CHECK(discover() == IP_PMTUDISC_DONT);
  CHECK(peer.Receive().bytes == "plain");
  CHECK(peer.Receive().bytes == "df");
  CHECK(peer.Receive().bytes == "plain again");
}

TEST_CASE("errno of a failed send says why the datagram was dropped") {
  CHECK(DropReasonOf(EAGAIN) == DropReason::kWouldBlock);
  CHECK(DropReasonOf(ENOBUFS) == DropReason::kWouldBlock);
  CHECK(DropReasonOf(EMSGSIZE) == DropReason::kTooLarge);
  CHECK(DropReasonOf(ENETUNREACH) == DropReason::kUnreachable);
  CHECK(DropReasonOf(EPERM) == DropReason::kUnreachable);
  CHECK(DropReasonOf(EINVAL) == DropReason::kSendFailed);
}

}  // namespace turnpike
