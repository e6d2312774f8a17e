// The client's side of the long-term credential mechanism (RFC 8489 §9.2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/stun/message.h"

namespace turnpike {

// LongTermCredential holds a name and a password, what the server's last challenge said, and the
// key that follows from both.
class LongTermCredential {
 public:
  // `rfc8489` takes up PASSWORD-ALGORITHMS and USERHASH when a challenge offers them.
  LongTermCredential(std::string username, std::string password, bool rfc8489);

  // Learn takes REALM, NONCE and PASSWORD-ALGORITHMS from a 401 or 438. False when the challenge
  // cannot be answered: no realm or nonce, one of excessive length, no algorithm that we know, or a
  // nonce whose cookie promises algorithms that are missing, which a bid-down attack looks like
  // (§9.2.5).
  bool Learn(const stun::MessageView& challenge);

  // known says whether requests can be authenticated.
  bool known() const { return !key_.empty(); }

  // Finish adds the attributes of §9.2.3.2 and the integrity under the key, and returns the
  // message. Requires known().
  ByteSpan Finish(stun::MessageBuilder& builder, bool fingerprint) const;

  // Verify says whether `response` carries the integrity that an answer to Finish's request must.
  bool Verify(const stun::MessageView& response) const;

 private:
  // ChooseAlgorithm picks from a PASSWORD-ALGORITHMS value; 0 when nothing in it is known.
  static uint16_t ChooseAlgorithm(ByteSpan algorithms);
  void DeriveKey();

  std::string username_;
  std::string password_;
  bool rfc8489_;
  std::string realm_;
  std::string nonce_;
  bool use_userhash_ = false;
  std::vector<uint8_t> algorithms_;  // as received: requests must repeat it unchanged (§9.2.3.2)
  uint16_t algorithm_ = 0;           // of §18.5; 0: the server offered none, so RFC 5389's rules
  std::vector<uint8_t> key_;
};

}  // namespace turnpike
