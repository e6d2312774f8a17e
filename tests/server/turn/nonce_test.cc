#include "server/turn/nonce.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace turnpike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLifetime = seconds(3600);
const MonoTime kMade{seconds(123456)};

NonceSecret Secret(uint8_t fill) {
  NonceSecret secret;
  secret.fill(fill);
  return secret;
}
const NonceSecret kSecret = Secret(7);

FiveTuple Tuple(std::string_view client, Transport transport = Transport::kUdp) {
  return {.client = *TransportAddress::Parse(client),
          .server = *TransportAddress::Parse("198.51.100.1:3478"),
          .transport = transport};
}
const FiveTuple kTuple = Tuple("203.0.113.9:40000");

bool IsValid(std::string_view nonce, const FiveTuple& tuple = kTuple, MonoTime now = kMade,
             const NonceSecret& secret = kSecret, SecurityFeatures features = {}) {
  return CheckNonce(secret, features, tuple, now, kLifetime, nonce) == NonceStatus::kValid;
}

TEST_CASE("8489_9_2 the nonce starts with the cookie and the security feature bits") {
  struct Row {
    SecurityFeatures features;
    std::string_view text;
  };
  for (const Row& row : std::vector<Row>{{{false, false}, "obMatJos2AAAA"},
                                         {{true, false}, "obMatJos2gAAA"},
                                         {{false, true}, "obMatJos2QAAA"},
                                         {{true, true}, "obMatJos2wAAA"}}) {
    const std::string nonce = MakeNonce(kSecret, row.features, kTuple, kMade);
    CHECK(nonce.substr(0, 13) == row.text);
    CHECK(IsValid(nonce, kTuple, kMade, kSecret, row.features));
  }
}

TEST_CASE("a nonce is short, printable, and needs no quoting") {
  for (int i = 0; i < 1000; ++i) {
    const std::string nonce = MakeNonce(kSecret, {}, kTuple, kMade + seconds(i));
    CHECK(nonce.size() == kNonceSize);
    CHECK(std::ranges::all_of(nonce,
                              [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\\'; }));
  }
  static_assert(kNonceSize <= 48);
}

TEST_CASE("8489_9_2_4 a nonce is valid for its lifetime, then stale") {
  const std::string nonce = MakeNonce(kSecret, {}, kTuple, kMade);
  CHECK(IsValid(nonce, kTuple, kMade));
  CHECK(IsValid(nonce, kTuple, kMade + milliseconds(999)));
  CHECK(IsValid(nonce, kTuple, kMade + kLifetime));
  CHECK(!IsValid(nonce, kTuple, kMade + kLifetime + seconds(1)));
  CHECK(!IsValid(nonce, kTuple, kMade + std::chrono::hours(24 * 365)));
}

TEST_CASE("a worker whose clock reading is a moment older takes a fresh nonce") {
  const std::string nonce = MakeNonce(kSecret, {}, kTuple, kMade);
  CHECK(IsValid(nonce, kTuple, kMade - milliseconds(1)));
}

TEST_CASE("the time may start at zero and wrap") {
  const MonoTime zero{};
  CHECK(IsValid(MakeNonce(kSecret, {}, kTuple, zero), kTuple, zero));
  const MonoTime wrap{seconds(uint64_t{1} << 32)};
  const std::string nonce = MakeNonce(kSecret, {}, kTuple, wrap - seconds(5));
  CHECK(IsValid(nonce, kTuple, wrap + seconds(5)));
  CHECK(!IsValid(nonce, kTuple, wrap + kLifetime));
}

TEST_CASE("a nonce is bound to the client's transport address and transport") {
  const std::string nonce = MakeNonce(kSecret, {}, kTuple, kMade);
  CHECK(!IsValid(nonce, Tuple("203.0.113.9:40001")));
  CHECK(!IsValid(nonce, Tuple("203.0.113.10:40000")));
  CHECK(!IsValid(nonce, Tuple("[::ffff:203.0.113.9]:40000")));
  CHECK(!IsValid(nonce, Tuple("203.0.113.9:40000", Transport::kTcp)));
  FiveTuple other_listener = kTuple;
  other_listener.server.port = 443;
  CHECK(IsValid(nonce, other_listener));
}

TEST_CASE("an earlier start's nonce and other features are stale") {
  const std::string nonce = MakeNonce(kSecret, {}, kTuple, kMade);
  CHECK(!IsValid(nonce, kTuple, kMade, Secret(8)));
  CHECK(!IsValid(nonce, kTuple, kMade, kSecret, {.password_algorithms = true}));
}

TEST_CASE("any changed, missing or added character makes a nonce stale") {
  const std::string nonce = MakeNonce(kSecret, {}, kTuple, kMade);
  for (size_t i = 0; i < nonce.size(); ++i) {
    for (const char c : {'A', 'b', '0', ' ', '\0', '\xff'}) {
      std::string changed = nonce;
      if (changed[i] == c) continue;
      changed[i] = c;
      CAPTURE(i);
      CHECK(!IsValid(changed));
    }
    CHECK(!IsValid(std::string_view(nonce).substr(0, i)));
  }
  CHECK(!IsValid(nonce + "A"));
  CHECK(!IsValid(nonce + std::string(2000, 'A')));
  CHECK(!IsValid("f//499k954d6OL34oL9FSTvy64sA"));  // RFC 5769 §2.4: another server's
}

TEST_CASE("an upper-case spelling of the time is not ours") {
  const MonoTime with_letters{seconds(0xabcdef)};
  std::string nonce = MakeNonce(kSecret, {}, kTuple, with_letters);
  CHECK(IsValid(nonce, kTuple, with_letters));
  CHECK(nonce.substr(13, 8) == "00abcdef");
  nonce.replace(13, 8, "00ABCDEF");
  CHECK(!IsValid(nonce, kTuple, with_letters));
}

TEST_CASE("nonces of different clients and seconds differ") {
  std::set<std::string> seen;
  for (int second = 0; second < 10; ++second) {
    for (int port = 1; port <= 50; ++port) {
      const auto tuple = Tuple("203.0.113.9:" + std::to_string(port));
      seen.insert(MakeNonce(kSecret, {}, tuple, kMade + seconds(second)));
    }
  }
  CHECK(seen.size() == 500);
}

}  // namespace
}  // namespace turnpike
