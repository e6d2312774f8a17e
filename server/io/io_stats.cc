#include "server/io/io_stats.h"

namespace turnpike {

std::string_view ConnectionEndName(ConnectionEnd end) {
  switch (end) {
    case ConnectionEnd::kClientClosed:
      return "client_closed";
    case ConnectionEnd::kReset:
      return "reset";
    case ConnectionEnd::kNotTurn:
      return "not_turn";
    case ConnectionEnd::kNoMessage:
      return "no_message";
    case ConnectionEnd::kIdle:
      return "idle";
    case ConnectionEnd::kWriteStalled:
      return "write_stalled";
    case ConnectionEnd::kTlsFailed:
      return "tls_failed";
    case ConnectionEnd::kTooMany:
      return "too_many";
    case ConnectionEnd::kTooManyOfAddress:
      return "too_many_of_address";
    case ConnectionEnd::kNoResource:
      return "no_resource";
    case ConnectionEnd::kStopped:
      return "stopped";
    case ConnectionEnd::kPeerClosed:
      return "peer_closed";
    case ConnectionEnd::kAllocationEnded:
      return "allocation_ended";
    case ConnectionEnd::kHandedOver:
      return "handed_over";
  }
  return {};
}

std::string_view TlsHandshakeName(TlsHandshake result) {
  switch (result) {
    case TlsHandshake::kOk:
      return "ok";
    case TlsHandshake::kFailed:
      return "failed";
    case TlsHandshake::kTimedOut:
      return "timed_out";
  }
  return {};
}

}  // namespace turnpike
