// A list that is usually short: the first elements lie in the owner's own cache lines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace turnpike {

// ShortList holds elements in no particular order: the first kInPlace inside itself, the rest on
// the heap. Most allocations have one or two peers, so that looking one up touches no other memory.
template <typename T, size_t kInPlace>
class ShortList {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T& operator[](size_t index) { return index < kInPlace ? first_[index] : rest_[index - kInPlace]; }
  const T& operator[](size_t index) const {
    return index < kInPlace ? first_[index] : rest_[index - kInPlace];
  }

  // FindIf returns the first element that `matches`, or nullptr. It stays valid until the list
  // changes.
  template <typename Predicate>
  T* FindIf(Predicate matches) {
    for (size_t i = 0; i < size_; ++i) {
      T& element = (*this)[i];
      if (matches(element)) return &element;
    }
    return nullptr;
  }
  template <typename Predicate>
  const T* FindIf(Predicate matches) const {
    return const_cast<ShortList*>(this)->FindIf(std::move(matches));
  }

  T& Add(const T& element) {
    if (size_ >= kInPlace) rest_.push_back(element);
    T& place = (*this)[size_++];
    place = element;
    return place;
  }

  // RemoveIf drops every element that `matches`; the last ones take their places.
  template <typename Predicate>
  void RemoveIf(Predicate matches) {
    for (size_t i = 0; i < size_;) {
      if (matches((*this)[i])) {
        (*this)[i] = (*this)[--size_];
        if (size_ >= kInPlace) rest_.pop_back();
      } else {
        ++i;
      }
    }
    // The peak of a busy time must not stay allocated for a session's whole life.
    if (rest_.empty()) std::vector<T>().swap(rest_);
  }

 private:
  std::array<T, kInPlace> first_{};
  uint32_t size_ = 0;
  std::vector<T> rest_;
};

}  // namespace turnpike
