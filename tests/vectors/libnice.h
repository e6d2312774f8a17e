// What libnice (libnice-dev 0.1.21-1) of Debian sends to the relay,
// recorded over UDP by tests/e2e/clients/record.py, which writes this file.
#pragma once

#include <string_view>

namespace turnpike::vectors::libnice {

// The long-term credential that the messages are authenticated with.
inline constexpr std::string_view kUsername = "alice";
inline constexpr std::string_view kPassword = "s3cret";
inline constexpr std::string_view kRealm = "turnpike.example";

// To the server itself, not a check between peers.
inline constexpr std::string_view kBinding = R"(
    00010000 d13796c6 f5d992ce cc002774 c25419c1)";

// The first one, without credentials.
inline constexpr std::string_view kAllocate = R"(
    00030014 2112a442 7eddd7f6 c2e40aed 0005345f
    80220007 6c69626e 69636520
    00190004 11000000)";

// After the 401.
inline constexpr std::string_view kAllocateAuthenticated = R"(
    00030078 2112a442 5e4d77cf b7add8e6 5edafd7b
    80220007 6c69626e 69636520
    00190004 11000000
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 37765269 4d443538 6b366d4f 3931554a
    72202020
    00060005 616c6963 65202020
    00080014 dce3651c 9faece6d 5ea35977 e206bd1c 8785f9d2)";

inline constexpr std::string_view kCreatePermission = R"(
    00080070 2112a442 1d82dd4e fb8e2ea4 57398642
    00120008 0001694a 5e12a443
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 37765269 4d443538 6b366d4f 3931554a
    72202020
    00140010 7475726e 70696b65 2e657861 6d706c65
    00060005 616c6963 65202020
    00080014 404729b7 46fdd0ff e23e3d5a e96752fa f282b4d7)";

// To the peer, while there is no channel.
inline constexpr std::string_view kSend = R"(
    0016006c 2112a442 7f870419 b0a5515e aae075ca
    00120008 0001694a 5e12a443
    0013005c 00010048 2112a442 eab4089d 5ec4799a 8ff5fd55 00250000 00240004 1e2003ff 802a0008
    edb970d1 bd3633bb 00060009 4d4e506d 3a4b3065 61202020 00080014 ca0d5ec0 0be16d6f c2e0fb20
    5cc6dd55 49c9d429 80280004 62151f77)";

inline constexpr std::string_view kChannelBind = R"(
    00090078 2112a442 9f0c0dd0 d9415ffb 87fe6fe2
    000c0004 40000000
    00120008 0001694a 5e12a443
    00060005 616c6963 65202020
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 37765269 4d443538 6b366d4f 3931554a
    72202020
    00080014 61af2bcb 525a6b66 1d6fa240 c311452b 8f5b1a9b)";

// The first one.
inline constexpr std::string_view kChannelData = R"(
    40000005 68656c6c 6f)";

// Of lifetime 0: the release.
inline constexpr std::string_view kRefresh = R"(
    00040078 2112a442 29a03979 11057fa5 5b7c3611
    80220007 6c69626e 69636520
    000d0004 00000000
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30336139 37765269 4d443538 6b366d4f 3931554a
    72202020
    00060005 616c6963 65202020
    00080014 95a5fd25 fbc6b5db ca4b773d 42c709ae 764fcdb6)";

}  // namespace turnpike::vectors::libnice
