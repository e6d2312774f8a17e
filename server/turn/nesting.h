// Datagrams that have gone through relays before.
#pragma once

#include "common/base/bytes.h"

namespace turnpike {

// NestingDepth counts how often `payload` has been wrapped for a TURN client: a ChannelData message
// or Data indication whose data is one again, and so on, up to `limit`. What a relay sends to its
// client comes back to it so, once the client is another relay whose client is the first one: a
// loop in which every round adds a header. No media looks like that by chance: the lengths must fit
// at each level.
int NestingDepth(ByteSpan payload, int limit);

}  // namespace turnpike
