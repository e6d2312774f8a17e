// A high dynamic range histogram: fixed relative error over many orders of magnitude, as in the HDR
// Histogram of Gil Tene.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/time.h"

namespace turnpike::load {

// Histogram counts durations in nanoseconds. Values below 2^precision_bits are exact; larger ones
// keep that many leading bits. 11 bits are three decimal digits.
class Histogram {
 public:
  static constexpr int kThreeDigits = 11;

  Histogram() = default;
  explicit Histogram(int precision_bits) : precision_bits_(precision_bits) {}

  // Record adds one value; a negative one counts as 0.
  void Record(Duration value);

  // Merge adds another histogram of the same precision.
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  Duration max() const { return Duration(static_cast<int64_t>(max_)); }
  Duration min() const { return Duration(count_ == 0 ? 0 : static_cast<int64_t>(min_)); }
  Duration mean() const;
  Duration standard_deviation() const;

  // Percentile returns the smallest recorded value (to the precision, rounded up) that at least
  // `percent` of all values do not exceed; 0 when there are none.
  Duration Percentile(double percent) const;

  // Buckets calls `visit(Duration highest, uint64_t count)` for every bucket that is not empty, in
  // the order of values.
  template <typename Visitor>
  void Buckets(Visitor visit) const {
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) visit(HighestOf(i), counts_[i]);
    }
  }

 private:
  size_t IndexOf(uint64_t value) const;
  Duration HighestOf(size_t index) const;

  int precision_bits_ = kThreeDigits;
  std::vector<uint64_t> counts_;  // as long as the largest value needs
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace turnpike::load
