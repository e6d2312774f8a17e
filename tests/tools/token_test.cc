// `turnpike token` against credentials that another program computed.
#include "tools/turnpike/token.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

// Expected: printf '%s' USERNAME | openssl dgst -sha1 -hmac SECRET -binary | base64
TEST_CASE("a credential is what coturn's REST convention says") {
  const TimeLimitedCredential credential = Mint("north", "acme", "web", 1795210000);
  CHECK(credential.username == "1795210000:acme:web");
  CHECK(credential.password == "Lyu1e79H8h+YyIM4dAGXRTRYF9s=");
}

TEST_CASE("without a label there is no second colon") {
  const TimeLimitedCredential credential = Mint("north", "acme", "", 1795210000);
  CHECK(credential.username == "1795210000:acme");
  CHECK(credential.password == "iMnYwHqz38GWm64stmQOHnOglaA=");
}

}  // namespace
}  // namespace turnpike
