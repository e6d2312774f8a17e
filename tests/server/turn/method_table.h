// The table of methods and faults: what the RFCs say of each cell.
#pragma once

#include <cstdint>

#include "common/stun/message.h"

namespace turnpike {

using stun::Class;
using stun::Method;

// Row is a message that a client may send. A new method is a row here and a line for every fault.
enum class Row : uint8_t {
  kBinding,
  kAllocate,
  kRefresh,
  kCreatePermission,
  kChannelBind,
  kConnect,         // on the connection of a TCP allocation
  kConnectionBind,  // on another one
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
  kOtherFiveTuple,  // without the allocation that is needed; Allocate, ConnectionBind: with one
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
inline constexpr RowInfo kRows[] = {
    {Row::kBinding, "Binding", Class::kRequest, Method::kBinding},
    {Row::kAllocate, "Allocate", Class::kRequest, Method::kAllocate},
    {Row::kRefresh, "Refresh", Class::kRequest, Method::kRefresh},
    {Row::kCreatePermission, "CreatePermission", Class::kRequest, Method::kCreatePermission},
    {Row::kChannelBind, "ChannelBind", Class::kRequest, Method::kChannelBind},
    {Row::kConnect, "Connect", Class::kRequest, Method::kConnect},
    {Row::kConnectionBind, "ConnectionBind", Class::kRequest, Method::kConnectionBind},
    {Row::kSend, "Send", Class::kIndication, Method::kSend},
    {Row::kData, "Data", Class::kIndication, Method::kData},
    {Row::kUnknownRequest, "unknown request", Class::kRequest, Method{0x077}},
    {Row::kUnknownIndication, "unknown indication", Class::kIndication, Method{0x077}},
};
inline constexpr const char* kFaultNames[] = {
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

inline constexpr Cell kCells[] = {
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

    {kConnect, kNone, "6062_5_2", "success"},
    {kConnect, kNoCredentials, "8489_9_2_4_check1", "401"},
    {kConnect, kWrongPassword, "8489_9_2_4_check5", "401"},
    {kConnect, kStaleNonce, "8489_9_2_4_check6", "438"},
    {kConnect, kOtherFiveTuple, "8656_5", "437"},
    {kConnect, kOtherUser, "8656_5", "441"},
    {kConnect, kUnknownRequired, "8489_6_3_1", "420"},
    {kConnect, kDuplicate, "8489_14", "success"},
    {kConnect, kAfterIntegrity, "8489_14_5", "success"},
    {kConnect, kTruncated, "8489_6_3", "silence"},
    {kConnect, kFamilyMismatch, "8656_10_2", "443"},

    {kConnectionBind, kNone, "6062_5_4", "success"},
    {kConnectionBind, kNoCredentials, "8489_9_2_4_check1", "401"},
    {kConnectionBind, kWrongPassword, "8489_9_2_4_check5", "401"},
    {kConnectionBind, kStaleNonce, "8489_9_2_4_check6", "438"},
    // An allocation's own connection cannot become a data connection.
    {kConnectionBind, kOtherFiveTuple, "6062_5_4", "400"},
    {kConnectionBind, kOtherUser, "8656_5", "441"},
    {kConnectionBind, kUnknownRequired, "8489_6_3_1", "420"},
    {kConnectionBind, kDuplicate, "8489_14", "success"},
    {kConnectionBind, kAfterIntegrity, "8489_14_5", "success"},
    {kConnectionBind, kTruncated, "8489_6_3", "silence"},
    // It names no family, so an attribute that does is not expected, and ignored.
    {kConnectionBind, kFamilyMismatch, "8489_6_3", "success"},

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

}  // namespace turnpike
