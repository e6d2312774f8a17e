// What Mozilla Firefox 153.7.0esr of Debian sends to the relay,
// recorded over UDP by tests/e2e/browser/record.py, which writes this file.
#pragma once

#include <string_view>

namespace turnpike::vectors::firefox {

// The long-term credential that the messages are authenticated with.
inline constexpr std::string_view kUsername = "1795218912:firefox:record-a";
inline constexpr std::string_view kPassword = "4dWecy+PWpOeLhXNF9h+qJy2jq4=";
inline constexpr std::string_view kRealm = "turnpike.example";

// To the server itself, not a check between peers.
inline constexpr std::string_view kBinding = R"(
    00010000 2112a442 e22d42d6 3977007d 034518fa)";

// The first one, without credentials.
inline constexpr std::string_view kAllocate = R"(
    00030018 2112a442 8fa75b2c 446f528f 0979619f
    00190004 11000000
    000d0004 00000e10
    80280004 61a69a99)";

// After the 401.
inline constexpr std::string_view kAllocateAuthenticated = R"(
    00030090 2112a442 5b2f9a75 6c74c95d 9201b6f0
    00190004 11000000
    000d0004 00000e10
    0006001b 31373935 32313839 31323a66 69726566 6f783a72 65636f72 642d6100
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316263 66444663 72304839 45775a6d 30324c44
    53000000
    00080014 9cb93f0b a2417219 fd3edc56 4c8c46a6 e2fdeefb
    80280004 03038891)";

inline constexpr std::string_view kCreatePermission = R"(
    0008008c 2112a442 5d795e2f 30ca6622 99dd9dde
    00120008 00014026 2b5fa443
    0006001b 31373935 32313839 31323a66 69726566 6f783a72 65636f72 642d6100
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316263 66444663 72304839 45775a6d 30324c44
    53000000
    00080014 108d5534 3721eb06 8163595a 93cb86c5 6738037f
    80280004 e720db54)";

// To the peer, while there is no channel.
inline constexpr std::string_view kSend = R"(
    0016007c 2112a442 23f096eb ca11216a 6e4f18f0
    00120008 00014026 2b5fa443
    00130064 00010050 2112a442 cffed1fd 3c38016b 3516108f 00060011 64323462 66363163 3a376535
    66353530 35000000 00250000 00240004 057e1fff 802a0008 62066849 82698c5c 00080014 2339b4ec
    2ab80a37 2aed0ad0 2fa6f4fa 1c04f622 80280004 a070b463
    80280004 802ec229)";

// Of lifetime 0: the release.
inline constexpr std::string_view kRefresh = R"(
    00040088 2112a442 13555815 dbaf4c9b ca4861ad
    000d0004 00000000
    0006001b 31373935 32313839 31323a66 69726566 6f783a72 65636f72 642d6100
    00140010 7475726e 70696b65 2e657861 6d706c65
    00150025 6f624d61 744a6f73 32674141 41303030 30316263 66444663 72304839 45775a6d 30324c44
    53000000
    00080014 01817ecc c2632ef0 66f00f4b 7181073c 3f77be73
    80280004 cca29d06)";

}  // namespace turnpike::vectors::firefox
