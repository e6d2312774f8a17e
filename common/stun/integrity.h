// Keys, hashes and message authentication of STUN's long-term credentials (RFC 8489 §9.2,
// §14.5–14.6, §18.5). The only file of the core that knows BoringSSL.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace turnpike::stun {

using Sha1Mac = std::array<uint8_t, 20>;
using Sha256Mac = std::array<uint8_t, 32>;

// HmacSha1 and HmacSha256 authenticate the concatenation of `parts` under `key`, without copying.
Sha1Mac HmacSha1(ByteSpan key, std::initializer_list<ByteSpan> parts);
Sha256Mac HmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts);

// LongTermKeyMd5 is MD5(username ":" realm ":" password), LongTermKeySha256 the same under SHA-256
// (§18.5.1). OpaqueString preparation is the caller's: Turnpike takes names and passwords as bytes.
std::array<uint8_t, 16> LongTermKeyMd5(std::string_view username, std::string_view realm,
                                       std::string_view password);
Sha256Mac LongTermKeySha256(std::string_view username, std::string_view realm,
                            std::string_view password);

// Userhash is SHA-256(username ":" realm) (§14.4).
Sha256Mac Userhash(std::string_view username, std::string_view realm);

// EqualConstantTime compares without telling by its duration where the first difference is.
bool EqualConstantTime(ByteSpan a, ByteSpan b);

// Base64 encodes with padding (RFC 4648 §4).
std::string Base64(ByteSpan bytes);

// Crc32 is the checksum of FINGERPRINT before its XOR (§14.7; ITU V.42).
uint32_t Crc32(ByteSpan bytes);

}  // namespace turnpike::stun
