#include "server/turn/stats.h"

#include <doctest/doctest.h>

#include <set>

namespace turnpike {

TEST_CASE("AuthFailureName gives every reason a name of its own") {
  std::set<std::string_view> names;
  for (int i = 0; i < kAuthFailureCount; ++i) {
    names.insert(AuthFailureName(static_cast<AuthFailure>(i)));
  }
  CHECK(names.size() == kAuthFailureCount);
  CHECK(names.contains("bad_integrity"));
}

}  // namespace turnpike
