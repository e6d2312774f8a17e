#include "server/turn/stats.h"

#include "common/base/check.h"

namespace turnpike {

std::string_view AuthFailureName(AuthFailure reason) {
  switch (reason) {
    case AuthFailure::kUnknownUser:
      return "unknown_user";
    case AuthFailure::kExpired:
      return "expired";
    case AuthFailure::kTooLong:
      return "too_long";
    case AuthFailure::kBadIntegrity:
      return "bad_integrity";
    case AuthFailure::kStaleNonce:
      return "stale_nonce";
    case AuthFailure::kMalformed:
      return "malformed";
    case AuthFailure::kWrongUser:
      return "wrong_user";
  }
  TP_CHECK(false);
  return {};
}

std::string_view PeerConnectionEventName(PeerConnectionEvent event) {
  switch (event) {
    case PeerConnectionEvent::kConnected:
      return "connected";
    case PeerConnectionEvent::kConnectFailed:
      return "connect_failed";
    case PeerConnectionEvent::kAccepted:
      return "accepted";
    case PeerConnectionEvent::kBound:
      return "bound";
    case PeerConnectionEvent::kNotBound:
      return "not_bound";
  }
  TP_CHECK(false);
  return {};
}

std::string_view SourceLimitName(SourceLimit what) {
  switch (what) {
    case SourceLimit::kUnauthenticatedAnswer:
      return "unauthenticated_answer";
    case SourceLimit::kAllocationAttempt:
      return "allocation_attempt";
  }
  TP_CHECK(false);
  return {};
}

}  // namespace turnpike
