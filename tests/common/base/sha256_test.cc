#include "common/base/sha256.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

TEST_CASE("FIPS 180-4: the examples of SHA-256") {
  CHECK(FormatDigest(Sha256("")) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(FormatDigest(Sha256("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(FormatDigest(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("a digest as bytes") {
  const Sha256Digest digest = Sha256("abc");
  CHECK(DigestBytes(digest).size() == 32);
  CHECK(DigestBytes(digest).front() == '\xba');
}

}  // namespace
}  // namespace turnpike
