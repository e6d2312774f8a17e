#include "server/http/form.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

TEST_CASE("a form is decoded, and its last value of a name counts") {
  CHECK(ReadForm("a=1&b=x%3Dy+z&a=2&c&=d&&") ==
        Form{{"a", "2"}, {"b", "x=y z"}, {"c", ""}, {"", "d"}});
  CHECK(ReadForm("").empty());
}

TEST_CASE("what is no escape stays as it is") {
  CHECK(DecodePercent("100%") == "100%");
  CHECK(DecodePercent("%4") == "%4");
  CHECK(DecodePercent("%zz%41") == "%zzA");
}

TEST_CASE("every byte survives encoding") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(DecodePercent(EncodePercent(all)) == all);
  CHECK(EncodePercent("a b&\r\n") == "a%20b%26%0D%0A");
}

}  // namespace
}  // namespace turnpike
