// What Chromium 156.0.8078.79 of Debian sends to the relay,
// recorded over UDP by tests/e2e/browser/record.py, which writes this file.
#pragma once

#include <string_view>

namespace turnpike::vectors::chromium {

// The long-term credential that the messages are authenticated with.
inline constexpr std::string_view kUsername = "1795218896:chromium:record-a";
inline constexpr std::string_view kPassword = "2sRxL5xZc540hnFBDS43S2xEZfo=";
inline constexpr std::string_view kRealm = "turnpike.example";

// To the server itself, not a check between peers.
inline constexpr std::string_view kBinding = R"(
    00010000 2112a442 65684e42 664a532f 556d7756)";

// The first one, without credentials.
inline constexpr std::string_view kAllocate = R"(
    00030008 2112a442 70707535 63595263 794b5443
    00190004 11000000)";

// After the 401.
inline constexpr std::string_view kAllocateAuthenticated = R"(
    00030080 2112a442 655a766e 4368586f 785a7776
    00190004 11000000
    0006001c 31373935 32313838 39363a63 68726f6d 69756d3a 7265636f 72642d61
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316262 65705577 6e693443 4645454f 41557732
    34000000
    00080014 62ccc062 4aaad86c dc8a8f6c 83374164 32675628)";

inline constexpr std::string_view kCreatePermission = R"(
    00080084 2112a442 496c4f48 50396f57 4c526c6c
    00120008 0001721f 2b5fa443
    0006001c 31373935 32313838 39363a63 68726f6d 69756d3a 7265636f 72642d61
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316262 65705577 6e693443 4645454f 41557732
    34000000
    00080014 423dcbb9 53b1403f 6a0be06f d5c5c7a5 4b24a41c)";

// To the peer, while there is no channel.
inline constexpr std::string_view kSend = R"(
    00160074 2112a442 304d724c 484e4252 67363278
    00120008 0001721f 2b5fa443
    00130064 00010050 2112a442 6d395252 52593875 514e546d 00060009 342b3747 3a423441 6c000000
    c0570004 00010000 802a0008 9240c761 f38a59d6 00250000 00240004 6e7e1fff 00080014 2b1d3a10
    98e1c270 accee14c 00cf8fb0 d2d46eb4 80280004 04a8fef5)";

inline constexpr std::string_view kChannelBind = R"(
    0009008c 2112a442 39666830 5465644e 68335066
    000c0004 40000000
    00120008 0001721f 2b5fa443
    0006001c 31373935 32313838 39363a63 68726f6d 69756d3a 7265636f 72642d61
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316262 65705577 6e693443 4645454f 41557732
    34000000
    00080014 acce5dcd 989ae638 28affeab 1c5cf452 690c10e0)";

// The first one.
inline constexpr std::string_view kChannelData = R"(
    40000028 2f70a500 2382b1b0 2c970e58 c757b771 efcb4e30 f0c8508a 01efa108 bb5cd56d e895415e
    3afbfeb8)";

// Of lifetime 0: the release.
inline constexpr std::string_view kRefresh = R"(
    00040080 2112a442 66494c78 6b527a30 444a535a
    000d0004 00000000
    0006001c 31373935 32313838 39363a63 68726f6d 69756d3a 7265636f 72642d61
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316262 65705577 6e693443 4645454f 41557732
    34000000
    00080014 643ecd6b ca8bd3ca f9f38d5b 0131a356 8124d01c)";

}  // namespace turnpike::vectors::chromium
