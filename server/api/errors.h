// THE table of what the API's error bodies say: `{code, message, more_info, status}`, with the
// codes that clients of such services know.
#pragma once

#include <span>
#include <string_view>

#include "server/http/http_server.h"

namespace turnpike {

// ErrorCode is the `code` of an error.
enum class ErrorCode : int {
  kInvalidParameter = 20001,
  kAuthenticate = 20003,
  kMethodNotAllowed = 20004,
  kAccountNotActive = 20005,
  kForbidden = 20006,
  kMalformed = 20400,
  kNotFound = 20404,
  kTooLarge = 20413,
  kNotAForm = 20415,
  kTooManyRequests = 20429,
  kInternal = 20500,
  kUnavailable = 20503,
};

struct ErrorRow {
  ErrorCode code;
  int status;
  std::string_view message;
};

// ErrorRows views the table.
std::span<const ErrorRow> ErrorRows();

// ErrorAnswer makes the answer for `code`; `detail`, a sentence, follows the row's message. Bytes
// from outside are never repeated in it.
HttpAnswer ErrorAnswer(ErrorCode code, std::string_view detail = {});

// InvalidParameter is the answer for kInvalidParameter; `sentence` says what would be right.
HttpAnswer InvalidParameter(std::string_view sentence);

// JsonAnswer makes an answer of a JSON text.
HttpAnswer JsonAnswer(std::string body, int status = 200);

}  // namespace turnpike
