// What pion (golang-github-pion-turn.v2-dev 2.1.0-1) of Debian sends to the relay,
// recorded over UDP by tests/e2e/clients/record.py, which writes this file.
#pragma once

#include <string_view>

namespace turnpike::vectors::pion {

// The long-term credential that the messages are authenticated with.
inline constexpr std::string_view kUsername = "alice";
inline constexpr std::string_view kPassword = "s3cret";
inline constexpr std::string_view kRealm = "turnpike.example";

// To the server itself, not a check between peers.
inline constexpr std::string_view kBinding = R"(
    00010000 2112a442 42143f18 e60ae127 97d75eec)";

// The first one, without credentials.
inline constexpr std::string_view kAllocate = R"(
    00030010 2112a442 a930bbd0 7198c402 d498dbac
    00190004 11000000
    80280004 35c7eb42)";

// After the 401.
inline constexpr std::string_view kAllocateAuthenticated = R"(
    00030074 2112a442 f8aad030 34f88bd5 60fab032
    00190004 11000000
    00060005 616c6963 65000000
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 366b7475 5977394c 55582f39 4e727078
    43000000
    00080014 6e155786 b764bd33 44b41649 b258d448 1cc79758
    80280004 15299070)";

inline constexpr std::string_view kCreatePermission = R"(
    00080078 2112a442 7cc5b50d c5ff9f04 22a56285
    00120008 0001c499 5e12a443
    00060005 616c6963 65000000
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 366b7475 5977394c 55582f39 4e727078
    43000000
    00080014 129e6ada b08728c7 5d19e31b 591755bc 7bc5eacb
    80280004 809e28e9)";

// To the peer, while there is no channel.
inline constexpr std::string_view kSend = R"(
    00160028 2112a442 9a39892d 2e316a23 c364b52e
    0013000f 68656c6c 6f206672 6f6d2070 696f6e00
    00120008 0001c499 5e12a443
    80280004 1385c035)";

inline constexpr std::string_view kChannelBind = R"(
    00090080 2112a442 e4a66dc6 38b22d79 cc53488c
    00120008 0001c499 5e12a443
    000c0004 40000000
    00060005 616c6963 65000000
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 366b7475 5977394c 55582f39 4e727078
    43000000
    00080014 57111c34 23897124 38fb3701 3d2a35e6 06c380bc
    80280004 51713a31)";

// The first one.
inline constexpr std::string_view kChannelData = R"(
    4000000f 68656c6c 6f206672 6f6d2070 696f6e00)";

// Of lifetime 0: the release.
inline constexpr std::string_view kRefresh = R"(
    00040074 2112a442 c5c73051 4425ec76 e431a7fa
    000d0004 00000000
    00060005 616c6963 65000000
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 366b7475 5977394c 55582f39 4e727078
    43000000
    00080014 7f2b5798 a8b115ed 68b3e066 98c5b0e5 5bc4cc6f
    80280004 13219a6e)";

}  // namespace turnpike::vectors::pion
