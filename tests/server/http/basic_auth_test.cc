#include "server/http/basic_auth.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

TEST_CASE("RFC 7617 §2: Aladdin's example") {
  const auto read = ReadBasic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  REQUIRE(read);
  CHECK(read->user == "Aladdin");
  CHECK(read->password == "open sesame");
  CHECK(ReadBasic("bAsIc Og==")->user.empty());
}

TEST_CASE("what is no Basic credential is none") {
  for (const char* text : {"", "Basic", "Basic ", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                           "Basic QWxh\r\n", "Basic QWxhZGRpbg==", "Basic ****"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(ReadBasic(text));
  }
}

}  // namespace
}  // namespace turnpike
