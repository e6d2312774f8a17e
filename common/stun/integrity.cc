#include "common/stun/integrity.h"

#include <openssl/base64.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include "common/base/check.h"

namespace turnpike::stun {
namespace {

template <typename Mac>
Mac Hmac(const EVP_MD* digest, ByteSpan key, std::initializer_list<ByteSpan> parts) {
  Mac mac;
  bssl::ScopedHMAC_CTX context;
  bool ok = HMAC_Init_ex(context.get(), key.data(), key.size(), digest, nullptr) == 1;
  for (const ByteSpan part : parts) {
    ok = ok && HMAC_Update(context.get(), part.data(), part.size()) == 1;
  }
  unsigned size = 0;
  ok = ok && HMAC_Final(context.get(), mac.data(), &size) == 1;
  TP_CHECK(ok && size == mac.size());  // fails only without memory
  return mac;
}

Sha256Mac Sha256Joined(std::initializer_list<std::string_view> fields) {
  SHA256_CTX context;
  SHA256_Init(&context);
  bool first = true;
  for (const std::string_view field : fields) {
    if (!first) SHA256_Update(&context, ":", 1);
    SHA256_Update(&context, field.data(), field.size());
    first = false;
  }
  Sha256Mac digest;
  SHA256_Final(digest.data(), &context);
  return digest;
}

// CrcTables are those of "slicing by 8": table[n][b] is the checksum of byte `b` followed by n
// zeros. pion puts FINGERPRINT on every message, media included, so a byte at a time would show.
using CrcTables = std::array<std::array<uint32_t, 256>, 8>;
constexpr CrcTables MakeCrcTables() {
  CrcTables tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    tables[0][b] = crc;
  }
  for (size_t n = 1; n < tables.size(); ++n) {
    for (size_t b = 0; b < 256; ++b) {
      const uint32_t before = tables[n - 1][b];
      tables[n][b] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}
constexpr CrcTables kCrcTables = MakeCrcTables();

}  // namespace

Sha1Mac HmacSha1(ByteSpan key, std::initializer_list<ByteSpan> parts) {
  return Hmac<Sha1Mac>(EVP_sha1(), key, parts);
}

Sha256Mac HmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts) {
  return Hmac<Sha256Mac>(EVP_sha256(), key, parts);
}

std::array<uint8_t, 16> LongTermKeyMd5(std::string_view username, std::string_view realm,
                                       std::string_view password) {
  MD5_CTX context;
  MD5_Init(&context);
  MD5_Update(&context, username.data(), username.size());
  MD5_Update(&context, ":", 1);
  MD5_Update(&context, realm.data(), realm.size());
  MD5_Update(&context, ":", 1);
  MD5_Update(&context, password.data(), password.size());
  std::array<uint8_t, 16> digest;
  MD5_Final(digest.data(), &context);
  return digest;
}

Sha256Mac LongTermKeySha256(std::string_view username, std::string_view realm,
                            std::string_view password) {
  return Sha256Joined({username, realm, password});
}

Sha256Mac Userhash(std::string_view username, std::string_view realm) {
  return Sha256Joined({username, realm});
}

bool EqualConstantTime(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Base64(ByteSpan bytes) {
  // EVP_EncodeBlock also writes a NUL, hence the one character more.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()), bytes.data(), bytes.size()));
  return text;
}

uint32_t Crc32(ByteSpan bytes) {
  uint32_t crc = ~0u;
  while (bytes.size() >= 8) {
    uint32_t folded = 0;
    for (size_t i = 0; i < 8; ++i) {
      const uint32_t mask = i < 4 ? (crc >> (8 * i)) & 0xFF : 0;
      folded ^= kCrcTables[7 - i][bytes[i] ^ mask];
    }
    crc = folded;
    bytes = bytes.subspan(8);
  }
  for (const uint8_t byte : bytes) crc = (crc >> 8) ^ kCrcTables[0][(crc ^ byte) & 0xFF];
  return ~crc;
}

}  // namespace turnpike::stun
