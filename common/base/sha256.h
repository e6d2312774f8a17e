// SHA-256 (FIPS 180-4), by BoringSSL: for the chain of hashes over what was billed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike {

using Sha256Digest = std::array<uint8_t, 32>;

// Sha256 hashes `bytes`.
Sha256Digest Sha256(std::string_view bytes);

// DigestBytes views a digest as bytes, without a copy. FormatDigest renders it as 64 lower-case
// hexadecimal digits.
std::string_view DigestBytes(const Sha256Digest& digest);
std::string FormatDigest(const Sha256Digest& digest);

}  // namespace turnpike
