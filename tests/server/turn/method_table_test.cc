// Every method against every way in which a message can be wrong: what the RFCs say of each cell.
#include "tests/server/turn/method_table.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "tests/server/turn/tcp_world.h"
#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

bool NamesPeer(Row row) {
  return row == kCreatePermission || row == kChannelBind || row == kConnect || row == kSend ||
         row == kData;
}

// RelaysTcp says whether a message of `row` concerns a TCP allocation.
bool RelaysTcp(Row row) { return row == kConnect || row == kConnectionBind; }

// Fill adds what makes a message of `row` succeed, for a peer of IPv4 or, to mismatch, IPv6.
void Fill(Row row, bool mismatched, uint32_t connection, stun::MessageBuilder& builder) {
  const bool names_peer = NamesPeer(row);
  if (row == kAllocate) RequestedUdp(builder);
  if (row == kRefresh) builder.AddU32(AttributeType::kLifetime, 600);
  if (row == kChannelBind) builder.AddU32(AttributeType::kChannelNumber, 0x40050000);
  if (names_peer) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress,
                          Address(mismatched ? "[2a00::9]:9" : "9.9.9.9:9"));
  }
  if (row == kSend || row == kData) builder.AddText(AttributeType::kData, "payload");
  if (row == kConnectionBind) builder.AddU32(AttributeType::kConnectionId, connection);
  if (mismatched && !names_peer) {
    // 2 is IPv6, which the allocation is not; 3 is no family that a relay could have.
    builder.AddU32(AttributeType::kRequestedAddressFamily, (row == kAllocate ? 3u : 2u) << 24);
  }
}

// Repeat adds a second attribute of a type that is there already, with a value that would do harm.
void Repeat(Row row, stun::MessageBuilder& builder) {
  if (row == kAllocate) builder.AddU32(AttributeType::kRequestedTransport, 6u << 24);
  if (row == kRefresh) builder.AddU32(AttributeType::kLifetime, 0);
  if (row == kChannelBind) builder.AddU32(AttributeType::kChannelNumber, 0);
  if (NamesPeer(row)) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("127.0.0.1:1"));
  }
  if (row == kConnectionBind) builder.AddU32(AttributeType::kConnectionId, 1);
  if (row == kSend || row == kData) builder.AddText(AttributeType::kData, "second");
  if (row == kBinding) {
    builder.AddText(AttributeType::kSoftware, "one");
    builder.AddText(AttributeType::kSoftware, "two");
  }
}

// Append puts an attribute behind a finished message.
void Append(Bytes& message, const Bytes& attribute) {
  message.insert(message.end(), attribute.begin(), attribute.end());
  const size_t length = message.size() - stun::kHeaderSize;
  message[2] = static_cast<uint8_t>(length >> 8);
  message[3] = static_cast<uint8_t>(length);
}

// Scene is a server with the allocation of alice, unless the message is to make one.
struct Scene {
  const RowInfo& row;
  Fault fault;
  const Transport transport = RelaysTcp(row.row) ? Transport::kTcp : Transport::kUdp;
  // A ConnectionBind comes by another connection than that of the allocation.
  const char* const other_place = row.row == kConnectionBind ? "7.7.7.7:2000" : "7.7.7.7:1000";
  CoreWorld world;
  TestClient alice{world, "7.7.7.7:1000", "alice", "s3cret", transport};
  TestClient bob{world, other_place, "bob", "hunter2", transport};
  TestClient elsewhere{world, "7.7.7.7:2000", "alice", "s3cret", transport};  // alice as well
  uint32_t connection = 0;  // that waits for a ConnectionBind

  Scene(const RowInfo& row_info, Fault what) : row(row_info), fault(what) {
    for (TestClient* client : {&alice, &bob, &elsewhere}) client->Challenge();
    const bool used = fault == kOtherFiveTuple || fault == kOtherUser;
    if (RelaysTcp(row.row)) {
      CHECK(alice.Request(Method::kAllocate, RequestedTcp).code() == 0);
    } else if (row.row != kAllocate || used) {
      alice.Allocate();
    }
    if (row.row == kSend) CHECK(alice.Permit("9.9.9.9:9").code() == 0);
    if (row.row == kConnectionBind) {
      CHECK(!alice.Exchange(alice.Build(Method::kConnect, PeerIs("9.9.9.9:9"), alice.NewId())));
      world.Connected("p1", true);
      connection = Reply(*world.TakeMessage(alice.address)).U32(AttributeType::kConnectionId);
    }
    world.TakeLog();
  }
  ~Scene() { world.TakeLog(); }

  TestClient& Sender() {
    if (fault == kOtherUser) return bob;
    const bool at_home =
        row.row == kConnectionBind ? fault == kOtherFiveTuple : fault != kOtherFiveTuple;
    return at_home || row.row == kAllocate ? alice : elsewhere;
  }

  Bytes Message() {
    TestClient& sender = Sender();
    const auto fill = [&](stun::MessageBuilder& builder) {
      Fill(row.row, fault == kFamilyMismatch, connection, builder);
      if (fault == kDuplicate) Repeat(row.row, builder);
      if (fault == kUnknownRequired) builder.AddU32(AttributeType{0x7F01}, 0);
    };
    if (fault == kNoCredentials) return sender.BuildPlain(row.message_class, row.method, fill);
    if (fault == kStaleNonce) sender.nonce.back() = sender.nonce.back() == 'A' ? 'B' : 'A';
    if (fault == kWrongPassword) sender.password = "wrong";
    Bytes buffer(stun::MessageBuilder::kMaxMessageSize);
    stun::MessageBuilder builder(buffer, row.message_class, row.method, sender.NewId());
    fill(builder);
    builder.AddText(AttributeType::kUsername, sender.username);
    builder.AddText(AttributeType::kRealm, sender.realm);
    builder.AddText(AttributeType::kNonce, sender.nonce);
    const ByteSpan done =
        builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, sender.keys().md5, false);
    Bytes message(done.begin(), done.end());
    if (fault == kAfterIntegrity) Append(message, {0x7F, 0x01, 0x00, 0x04, 0, 0, 0, 0});
    return message;
  }

  // Outcome hands in `message` and says what came of it, in the words of the table.
  std::string Outcome(const Bytes& message) {
    const TestClient& sender = Sender();
    const auto forward = world.FromClient(sender.address, message);
    if (row.row == kConnect && !world.TakeLog().empty()) world.Connected("p1", true);
    const auto answer = world.TakeMessage(sender.address);
    CHECK(!world.TakeMessage(sender.address));
    if (forward) {
      CHECK(!answer);
      CHECK(forward->to == "9.9.9.9:9");
      CHECK(AsText(forward->payload) == "payload");
      return "forwards";
    }
    if (!answer) return "silence";
    const Reply reply(*answer);
    CHECK(reply.view().method() == row.method);
    const int code = reply.code();
    const bool challenges = code == 401 || code == 438;
    CHECK(reply.Has(AttributeType::kNonce) == challenges);
    CHECK(reply.Has(AttributeType::kRealm) == challenges);
    CHECK(reply.view().has_integrity() == (!challenges && row.row != kBinding));
    if (reply.view().has_integrity()) CHECK(sender.Proves(reply));
    if (code == 420) CHECK(reply.Text(AttributeType::kUnknownAttributes) == "\x7F\x01");
    return code == 0 ? "success" : std::to_string(code);
  }

  // CheckUnharmed expects that nothing was made, ended, permitted or bound.
  void CheckUnharmed() {
    const bool used = fault == kOtherFiveTuple || fault == kOtherUser;
    CHECK(world.server().allocation_count() == (row.row == kAllocate && !used ? 0 : 1));
    if (row.row != kSend) CHECK(!alice.Send("9.9.9.9:9", "x"));
    CHECK(!alice.SendChannel(0x4005, "x"));
    CHECK(world.server().IsConsistent());
  }
};

std::string Outcome(const RowInfo& row, Fault fault) {
  Scene scene(row, fault);
  const Bytes message = scene.Message();
  std::string outcome;
  if (fault == kTruncated) {
    std::set<std::string> outcomes;
    for (size_t size = 0; size < message.size(); ++size) {
      outcomes.insert(
          scene.Outcome({message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)}));
    }
    for (const std::string& each : outcomes) outcome += (outcome.empty() ? "" : ", ") + each;
  } else {
    outcome = scene.Outcome(message);
  }
  if (outcome != "success") scene.CheckUnharmed();
  return outcome;
}

}  // namespace

TEST_CASE("the table of methods and faults has every cell once") {
  std::set<std::pair<Row, Fault>> seen;
  for (const Cell& cell : kCells) {
    CHECK(seen.insert({cell.row, cell.fault}).second);
    CHECK(static_cast<size_t>(cell.row) < std::size(kRows));
    CHECK(static_cast<size_t>(cell.fault) < std::size(kFaultNames));
  }
  CHECK(seen.size() == std::size(kRows) * std::size(kFaultNames));
  for (size_t i = 0; i < std::size(kRows); ++i) CHECK(static_cast<size_t>(kRows[i].row) == i);
}

TEST_CASE("every method with every fault gives what the RFC says") {
  for (const Cell& cell : kCells) {
    const RowInfo& row = kRows[static_cast<size_t>(cell.row)];
    const std::string name = std::string(cell.rule) + " " + row.name + ", " +
                             kFaultNames[static_cast<size_t>(cell.fault)] + ": " + cell.wants;
    SUBCASE(name.c_str()) { CHECK(Outcome(row, cell.fault) == cell.wants); }
  }
}

}  // namespace turnpike
