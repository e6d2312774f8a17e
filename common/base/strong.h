// Strong integers and values: a port is not a channel number, a client is not a peer.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <utility>

namespace turnpike {

// Strong wraps a `T` so that two meanings of the same representation cannot be swapped. `Tag` is
// any type, usually declared in place: `using ChannelNumber = Strong<uint16_t, struct
// ChannelNumberTag>`. It converts to and from `T` only explicitly, costs nothing, and compares like
// `T`.
template <typename T, typename Tag>
class Strong {
 public:
  using Value = T;

  constexpr Strong() = default;
  constexpr explicit Strong(T value) : value_(std::move(value)) {}

  constexpr const T& value() const { return value_; }
  constexpr T& value() { return value_; }
  constexpr const T* operator->() const { return &value_; }

  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

 private:
  T value_{};
};

}  // namespace turnpike

template <typename T, typename Tag>
struct std::hash<turnpike::Strong<T, Tag>> {
  size_t operator()(const turnpike::Strong<T, Tag>& strong) const {
    return std::hash<T>{}(strong.value());
  }
};
