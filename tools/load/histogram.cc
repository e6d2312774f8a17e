#include "tools/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/check.h"

namespace turnpike::load {

size_t Histogram::IndexOf(uint64_t value) const {
  const int width = static_cast<int>(std::bit_width(value));
  const int shift = std::max(0, width - precision_bits_);
  const size_t half = size_t{1} << (precision_bits_ - 1);
  return static_cast<size_t>(shift) * half + static_cast<size_t>(value >> shift);
}

Duration Histogram::HighestOf(size_t index) const {
  const size_t half = size_t{1} << (precision_bits_ - 1);
  if (index < 2 * half) return Duration(static_cast<int64_t>(index));
  const size_t shift = index / half - 1;
  const uint64_t leading = index - shift * half;
  const uint64_t highest = ((leading + 1) << shift) - 1;
  return Duration(static_cast<int64_t>(std::min(highest, max_)));
}

void Histogram::Record(Duration duration) {
  const uint64_t value = duration.count() > 0 ? static_cast<uint64_t>(duration.count()) : 0;
  const size_t index = IndexOf(value);
  if (index >= counts_.size()) counts_.resize(index + 1);
  ++counts_[index];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  const auto exact = static_cast<double>(value);
  sum_ += exact;
  sum_of_squares_ += exact * exact;
}

void Histogram::Merge(const Histogram& other) {
  TP_CHECK(precision_bits_ == other.precision_bits_);
  if (counts_.size() < other.counts_.size()) counts_.resize(other.counts_.size());
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

Duration Histogram::mean() const {
  if (count_ == 0) return Duration(0);
  return Duration(std::llround(sum_ / static_cast<double>(count_)));
}

Duration Histogram::standard_deviation() const {
  if (count_ == 0) return Duration(0);
  const double mean = sum_ / static_cast<double>(count_);
  const double variance = sum_of_squares_ / static_cast<double>(count_) - mean * mean;
  return Duration(std::llround(std::sqrt(std::max(0.0, variance))));
}

Duration Histogram::Percentile(double percent) const {
  if (count_ == 0) return Duration(0);
  const double share = std::clamp(percent, 0.0, 100.0) / 100;
  const auto wanted =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted) return HighestOf(i);
  }
  return max();
}

}  // namespace turnpike::load
