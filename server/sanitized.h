// Whether this is a build with a sanitizer. Those read files of their own, start a process to look
// for leaks, and run a program that gives addresses names; what keeps an intruder from doing so
// lets them.
#pragma once

namespace turnpike {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace turnpike
