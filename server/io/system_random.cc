#include "server/io/system_random.h"

#include <openssl/mem.h>
#include <openssl/rand.h>

#include <algorithm>

namespace turnpike {

SystemRandom::~SystemRandom() { OPENSSL_cleanse(buffer_.data(), buffer_.size()); }

void SystemRandom::Fill(std::span<uint8_t> out) {
  // RAND_bytes of BoringSSL cannot fail: it aborts when the system has no randomness.
  if (out.size() > buffer_.size() / 4) {
    RAND_bytes(out.data(), out.size());
    return;
  }
  if (buffer_.size() - used_ < out.size()) {
    RAND_bytes(buffer_.data(), buffer_.size());
    used_ = 0;
  }
  const std::span<uint8_t> taken = std::span(buffer_).subspan(used_, out.size());
  std::ranges::copy(taken, out.begin());
  OPENSSL_cleanse(taken.data(), taken.size());
  used_ += out.size();
}

}  // namespace turnpike
