// What strangers write into a request's path, query, form and Authorization header is read, and
// what was read can be written again.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "server/http/basic_auth.h"
#include "server/http/form.h"
#include "server/http/path.h"

namespace turnpike {
namespace {

void Run(std::string_view text) {
  std::string form_text;
  const Form form = ReadForm(text);
  for (const auto& [name, value] : form) {
    TP_CHECK(DecodePercent(EncodePercent(value)) == value);
    if (!form_text.empty()) form_text += '&';
    form_text += EncodePercent(name) + '=' + EncodePercent(value);
  }
  TP_CHECK(ReadForm(form_text) == form);
  for (const std::string_view pattern : {"/v1/{a}", "/v1/{a}/b/{c}.json", "{a}"}) {
    const auto parts = MatchPath(pattern, text);
    if (!parts) continue;
    for (const std::string_view part : *parts) {
      TP_CHECK(!part.empty() && part.find('/') == std::string_view::npos);
    }
  }
  const auto basic = ReadBasic(text);
  TP_CHECK(!basic || basic->user.find(':') == std::string::npos);
}

}  // namespace
}  // namespace turnpike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::Run(turnpike::AsText({data, size}));
  return 0;
}
