// Every method against every way in which a message can be wrong: what the RFCs say of each cell.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

// Row is a message that a client may send. A new method is a row here and a line for every fault.
enum class Row : uint8_t {
  kBinding,
  kAllocate,
  kRefresh,
  kCreatePermission,
  kChannelBind,
  kSend,
  kData,            // a method that only servers send
  kUnknownRequest,  // methods that nobody has defined
  kUnknownIndication,
};

enum class Fault : uint8_t {
  kNone,
  kNoCredentials,
  kWrongPassword,
  kStaleNonce,
  kOtherFiveTuple,  // without the allocation that is needed; for Allocate: with one
  kOtherUser,       // on the 5-tuple of somebody else's allocation
  kUnknownRequired,
  kDuplicate,
  kAfterIntegrity,
  kTruncated,  // at every byte; `wants` holds for each cut
  kFamilyMismatch,
};

struct RowInfo {
  Row row;
  const char* name;
  Class message_class;
  Method method;
};
constexpr RowInfo kRows[] = {
    {Row::kBinding, "Binding", Class::kRequest, Method::kBinding},
    {Row::kAllocate, "Allocate", Class::kRequest, Method::kAllocate},
    {Row::kRefresh, "Refresh", Class::kRequest, Method::kRefresh},
    {Row::kCreatePermission, "CreatePermission", Class::kRequest, Method::kCreatePermission},
    {Row::kChannelBind, "ChannelBind", Class::kRequest, Method::kChannelBind},
    {Row::kSend, "Send", Class::kIndication, Method::kSend},
    {Row::kData, "Data", Class::kIndication, Method::kData},
    {Row::kUnknownRequest, "unknown request", Class::kRequest, Method{0x077}},
    {Row::kUnknownIndication, "unknown indication", Class::kIndication, Method{0x077}},
};
constexpr const char* kFaultNames[] = {
    "nothing wrong",     "no credentials", "wrong password",
    "stale nonce",       "other 5-tuple",  "other user",
    "unknown required",  "duplicate",      "behind MESSAGE-INTEGRITY",
    "cut off at a byte", "family mismatch"};

// Cell is what has to happen: `success`, an error's code, `forwards` or `silence`.
struct Cell {
  Row row;
  Fault fault;
  const char* rule;  // RFC, section, step
  const char* wants;
};

using enum Row;
using enum Fault;

constexpr Cell kCells[] = {
    // RFC 8489 §12: Binding uses no credentials, so those that come along are not looked at.
    {kBinding, kNone, "8489_12", "success"},
    {kBinding, kNoCredentials, "8489_12", "success"},
    {kBinding, kWrongPassword, "8489_12", "success"},
    {kBinding, kStaleNonce, "8489_12", "success"},
    {kBinding, kOtherFiveTuple, "8489_12", "success"},
    {kBinding, kOtherUser, "8489_12", "success"},
    {kBinding, kUnknownRequired, "8489_6_3_1", "420"},
    {kBinding, kDuplicate, "8489_14", "success"},
    {kBinding, kAfterIntegrity, "8489_14_5", "success"},
    {kBinding, kTruncated, "8489_6_3", "silence"},
    {kBinding, kFamilyMismatch, "8489_12", "success"},

    {kAllocate, kNone, "8656_7_2", "success"},
    {kAllocate, kNoCredentials, "8489_9_2_4_check1", "401"},
    {kAllocate, kWrongPassword, "8489_9_2_4_check5", "401"},
    {kAllocate, kStaleNonce, "8489_9_2_4_check6", "438"},
    {kAllocate, kOtherFiveTuple, "8656_7_2_step2", "437"},
    {kAllocate, kOtherUser, "8656_7_2_step2", "437"},
    {kAllocate, kUnknownRequired, "8489_6_3_1", "420"},
    {kAllocate, kDuplicate, "8489_14", "success"},
    {kAllocate, kAfterIntegrity, "8489_14_5", "success"},
    {kAllocate, kTruncated, "8489_6_3", "silence"},
    {kAllocate, kFamilyMismatch, "8656_7_2_step7", "440"},

    {kRefresh, kNone, "8656_8_2", "success"},
    {kRefresh, kNoCredentials, "8489_9_2_4_check1", "401"},
    {kRefresh, kWrongPassword, "8489_9_2_4_check5", "401"},
    {kRefresh, kStaleNonce, "8489_9_2_4_check6", "438"},
    {kRefresh, kOtherFiveTuple, "8656_5", "437"},
    {kRefresh, kOtherUser, "8656_5", "441"},
    {kRefresh, kUnknownRequired, "8489_6_3_1", "420"},
    {kRefresh, kDuplicate, "8489_14", "success"},
    {kRefresh, kAfterIntegrity, "8489_14_5", "success"},
    {kRefresh, kTruncated, "8489_6_3", "silence"},
    {kRefresh, kFamilyMismatch, "8656_8_2", "443"},

    {kCreatePermission, kNone, "8656_10_2", "success"},
    {kCreatePermission, kNoCredentials, "8489_9_2_4_check1", "401"},
    {kCreatePermission, kWrongPassword, "8489_9_2_4_check5", "401"},
    {kCreatePermission, kStaleNonce, "8489_9_2_4_check6", "438"},
    {kCreatePermission, kOtherFiveTuple, "8656_5", "437"},
    {kCreatePermission, kOtherUser, "8656_5", "441"},
    {kCreatePermission, kUnknownRequired, "8489_6_3_1", "420"},
    // §10.1: "the XOR-PEER-ADDRESS attributes": each counts, and here one is forbidden.
    {kCreatePermission, kDuplicate, "8656_10_2", "403"},
    {kCreatePermission, kAfterIntegrity, "8489_14_5", "success"},
    {kCreatePermission, kTruncated, "8489_6_3", "silence"},
    {kCreatePermission, kFamilyMismatch, "8656_10_2", "443"},

    {kChannelBind, kNone, "8656_12_2", "success"},
    {kChannelBind, kNoCredentials, "8489_9_2_4_check1", "401"},
    {kChannelBind, kWrongPassword, "8489_9_2_4_check5", "401"},
    {kChannelBind, kStaleNonce, "8489_9_2_4_check6", "438"},
    {kChannelBind, kOtherFiveTuple, "8656_5", "437"},
    {kChannelBind, kOtherUser, "8656_5", "441"},
    {kChannelBind, kUnknownRequired, "8489_6_3_1", "420"},
    {kChannelBind, kDuplicate, "8489_14", "success"},
    {kChannelBind, kAfterIntegrity, "8489_14_5", "success"},
    {kChannelBind, kTruncated, "8489_6_3", "silence"},
    {kChannelBind, kFamilyMismatch, "8656_12_2", "443"},

    // RFC 8489 §9.2: "the long-term credential mechanism cannot be used to protect indications,
    // since indications cannot be challenged."
    {kSend, kNone, "8656_11_2", "forwards"},
    {kSend, kNoCredentials, "8489_9_2", "forwards"},
    {kSend, kWrongPassword, "8489_9_2", "forwards"},
    {kSend, kStaleNonce, "8489_9_2", "forwards"},
    {kSend, kOtherFiveTuple, "8656_5", "silence"},
    {kSend, kOtherUser, "8489_9_2", "forwards"},
    {kSend, kUnknownRequired, "8489_6_3_2", "silence"},
    {kSend, kDuplicate, "8489_14", "forwards"},
    {kSend, kAfterIntegrity, "8489_14_5", "forwards"},
    {kSend, kTruncated, "8489_6_3", "silence"},
    {kSend, kFamilyMismatch, "8656_11_2", "silence"},

    {kData, kNone, "8489_6_3", "silence"},
    {kData, kNoCredentials, "8489_6_3", "silence"},
    {kData, kWrongPassword, "8489_6_3", "silence"},
    {kData, kStaleNonce, "8489_6_3", "silence"},
    {kData, kOtherFiveTuple, "8656_5", "silence"},
    {kData, kOtherUser, "8489_6_3", "silence"},
    {kData, kUnknownRequired, "8489_6_3_2", "silence"},
    {kData, kDuplicate, "8489_6_3", "silence"},
    {kData, kAfterIntegrity, "8489_6_3", "silence"},
    {kData, kTruncated, "8489_6_3", "silence"},
    {kData, kFamilyMismatch, "8489_6_3", "silence"},

    {kUnknownRequest, kNone, "8489_6_3", "silence"},
    {kUnknownRequest, kNoCredentials, "8489_6_3", "silence"},
    {kUnknownRequest, kWrongPassword, "8489_6_3", "silence"},
    {kUnknownRequest, kStaleNonce, "8489_6_3", "silence"},
    {kUnknownRequest, kOtherFiveTuple, "8489_6_3", "silence"},
    {kUnknownRequest, kOtherUser, "8489_6_3", "silence"},
    {kUnknownRequest, kUnknownRequired, "8489_6_3", "silence"},
    {kUnknownRequest, kDuplicate, "8489_6_3", "silence"},
    {kUnknownRequest, kAfterIntegrity, "8489_6_3", "silence"},
    {kUnknownRequest, kTruncated, "8489_6_3", "silence"},
    {kUnknownRequest, kFamilyMismatch, "8489_6_3", "silence"},

    {kUnknownIndication, kNone, "8489_6_3", "silence"},
    {kUnknownIndication, kNoCredentials, "8489_6_3", "silence"},
    {kUnknownIndication, kWrongPassword, "8489_6_3", "silence"},
    {kUnknownIndication, kStaleNonce, "8489_6_3", "silence"},
    {kUnknownIndication, kOtherFiveTuple, "8489_6_3", "silence"},
    {kUnknownIndication, kOtherUser, "8489_6_3", "silence"},
    {kUnknownIndication, kUnknownRequired, "8489_6_3", "silence"},
    {kUnknownIndication, kDuplicate, "8489_6_3", "silence"},
    {kUnknownIndication, kAfterIntegrity, "8489_6_3", "silence"},
    {kUnknownIndication, kTruncated, "8489_6_3", "silence"},
    {kUnknownIndication, kFamilyMismatch, "8489_6_3", "silence"},
};

// Fill adds what makes a message of `row` succeed, for a peer of IPv4 or, to mismatch, IPv6.
void Fill(Row row, bool mismatched, stun::MessageBuilder& builder) {
  const bool names_peer =
      row == kCreatePermission || row == kChannelBind || row == kSend || row == kData;
  if (row == kAllocate) RequestedUdp(builder);
  if (row == kRefresh) builder.AddU32(AttributeType::kLifetime, 600);
  if (row == kChannelBind) builder.AddU32(AttributeType::kChannelNumber, 0x40050000);
  if (names_peer) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress,
                          Address(mismatched ? "[2a00::9]:9" : "9.9.9.9:9"));
  }
  if (row == kSend || row == kData) builder.AddText(AttributeType::kData, "payload");
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
  if (row == kCreatePermission || row == kChannelBind || row == kSend || row == kData) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("127.0.0.1:1"));
  }
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
  CoreWorld world;
  TestClient alice{world, "7.7.7.7:1000", "alice", "s3cret"};
  TestClient bob{world, "7.7.7.7:1000", "bob", "hunter2"};         // on alice's 5-tuple
  TestClient elsewhere{world, "7.7.7.7:2000", "alice", "s3cret"};  // alice on another one

  Scene(const RowInfo& row_info, Fault what) : row(row_info), fault(what) {
    for (TestClient* client : {&alice, &bob, &elsewhere}) client->Challenge();
    const bool used = fault == kOtherFiveTuple || fault == kOtherUser;
    if (row.row != kAllocate || used) alice.Allocate();
    if (row.row == kSend) CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  }
  ~Scene() { world.TakeLog(); }

  TestClient& Sender() {
    if (fault == kOtherUser) return bob;
    return fault == kOtherFiveTuple && row.row != kAllocate ? elsewhere : alice;
  }

  Bytes Message() {
    TestClient& sender = Sender();
    const auto fill = [&](stun::MessageBuilder& builder) {
      Fill(row.row, fault == kFamilyMismatch, builder);
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
