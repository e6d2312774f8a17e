#include "common/client/transaction.h"

#include <utility>

namespace turnpike {
namespace {

constexpr int kMaxSends = 7;         // Rc of RFC 8489 §6.2.1
constexpr int kLastWaitInRtos = 16;  // Rm
// Ti of §6.2.2 is what UDP's schedule adds up to: 1 + 2 + ... + 32 RTO of waiting, then Rm.
constexpr int kStreamWaitInRtos = 63 + kLastWaitInRtos;

}  // namespace

Transaction::Transaction(RequestIntent intent, stun::TransactionId id, std::vector<uint8_t> message,
                         bool authenticated, bool retried)
    : intent_(std::move(intent)),
      id_(id),
      message_(std::move(message)),
      authenticated_(authenticated),
      retried_(retried) {}

void Transaction::Start(MonoTime now, Duration rto, bool stream) {
  sends_left_ = stream ? 0 : kMaxSends - 1;
  wait_ = rto;
  last_wait_ = rto * kLastWaitInRtos;
  deadline_ = now + (stream ? rto * kStreamWaitInRtos : rto);
}

bool Transaction::Expired(MonoTime now) {
  if (sends_left_ == 0) return true;
  --sends_left_;
  wait_ *= 2;
  deadline_ = now + (sends_left_ == 0 ? last_wait_ : wait_);
  return false;
}

}  // namespace turnpike
