// One request on its way: what it asks, and when to send it again (RFC 8489 §6.2).
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/time.h"
#include "common/client/types.h"
#include "common/stun/attributes.h"

namespace turnpike {

// RequestIntent is what a request is for, apart from credentials and transaction id: what is needed
// to build it anew after a challenge.
struct RequestIntent {
  RequestKind kind;
  TransportAddress peer;        // CreatePermission (port 0) and ChannelBind
  stun::ChannelNumber channel;  // ChannelBind
};

// Transaction is a request that waits for its response.
//
// Over UDP it is sent Rc = 7 times, after RTO, 2 RTO, 4 RTO, ..., and given up Rm = 16 RTO after
// the last: 39.5 s with an RTO of 500 ms (§6.2.1). Over streams it is sent once and given up after
// as long (Ti, §6.2.2).
class Transaction {
 public:
  Transaction(RequestIntent intent, stun::TransactionId id, std::vector<uint8_t> message,
              bool authenticated, bool retried);

  // Start notes the first sending at `now`.
  void Start(MonoTime now, Duration rto, bool stream);

  // Expired says at `now >= deadline()` whether the request is given up; if not, it is to be sent
  // once more, which is noted.
  bool Expired(MonoTime now);

  MonoTime deadline() const { return deadline_; }
  const RequestIntent& intent() const { return intent_; }
  const stun::TransactionId& id() const { return id_; }
  const std::vector<uint8_t>& message() const { return message_; }
  // authenticated says whether credentials were in the request: the response must prove that the
  // server has them too.
  bool authenticated() const { return authenticated_; }
  // retried says whether the request answers a 438: another 438 ends it.
  bool retried() const { return retried_; }

 private:
  RequestIntent intent_;
  stun::TransactionId id_;
  std::vector<uint8_t> message_;
  bool authenticated_;
  bool retried_;
  int sends_left_ = 0;
  Duration wait_{};       // until the next sending
  Duration last_wait_{};  // after the last sending
  MonoTime deadline_;
};

}  // namespace turnpike
