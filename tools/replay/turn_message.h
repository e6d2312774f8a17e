// Recognises TURN in a captured datagram, and the application data in it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/net/transport_address.h"

namespace turnpike::replay {

// TurnSender says which side of a leg can have sent a message. ChannelData says nothing.
enum class TurnSender : uint8_t { kUnknown, kClient, kServer };

// TurnMessage is a message between a TURN client and its server.
struct TurnMessage {
  TurnSender sender = TurnSender::kUnknown;
  bool has_data = false;                    // ChannelData, a Send or a Data indication
  uint32_t data_size = 0;                   // of the application data, whole
  ByteSpan data;                            // as far as it was captured
  std::optional<TransportAddress> relayed;  // what a server has allocated
};

// ReadTurn fills `messages` with what a datagram of `size` bytes holds, of which `bytes` were
// captured, and leaves it empty when that is not TURN; STUN Binding is not. There are several
// messages in a datagram that was captured before the kernel cut it (UDP GSO). Captures are often
// cut to headers, which is why this does not want whole messages.
void ReadTurn(ByteSpan bytes, uint32_t size, std::vector<TurnMessage>& messages);

}  // namespace turnpike::replay
