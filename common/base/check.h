// Assertions. A broken invariant is a programmer's error and ends the process; input from outside
// is never checked with these (design rule: crash on programmer error, never on input).
#pragma once

namespace turnpike {

// CheckFailed prints the failed condition with its place to standard error and aborts.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace turnpike

// TP_CHECK ends the process unless `condition` holds, in every build.
#define TP_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::turnpike::CheckFailed(#condition, __FILE__, __LINE__))

// TP_DCHECK is TP_CHECK in debug, sanitizer and fuzzing builds, and nothing in a release.
#ifdef NDEBUG
#define TP_DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define TP_DCHECK(condition) TP_CHECK(condition)
#endif
