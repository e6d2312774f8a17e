// Adds usage up by the keys of a report. A month has millions of buckets and few groups: names are
// compared once in a while, not sorted per row as a database would.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/metering/report.h"
#include "common/metering/time_zone.h"
#include "common/metering/usage.h"

namespace turnpike {

// UsageNames are what a piece of usage is counted under, as bytes from outside.
struct UsageNames {
  std::string_view account;
  std::string_view region;
  std::string_view transport;
  std::string_view label;
  std::string_view edge;
};

// ReportGroups holds one row for each group that was asked for.
class ReportGroups {
 public:
  // Days and months are those of `zone`.
  ReportGroups(std::span<const ReportKey> by, TimeZone zone);

  // At returns the row of usage in `bucket` under `names`, with its keys set. It stays where it is.
  ReportRow& At(BucketIndex bucket, const UsageNames& names);

  // Take returns the rows in the order of their keys.
  std::vector<ReportRow> Take();

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  // Numbers numbers texts. The same text comes many times in a row.
  class Numbers {
   public:
    uint32_t Of(std::string_view text);

   private:
    std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> numbers_;
    const std::string* last_ = nullptr;
    uint32_t last_number_ = 0;
  };
  using Group = std::array<uint32_t, kReportKeyCount>;
  struct GroupHash {
    size_t operator()(const Group& group) const;
  };

  void EnterBucket(BucketIndex bucket);
  std::string_view TextOf(ReportKey key, const UsageNames& names) const;

  std::vector<ReportKey> by_;
  TimeZone zone_;
  BucketIndex bucket_ = kNoBucket;
  std::string day_;    // of bucket_
  std::string month_;  // of bucket_
  std::array<Numbers, kReportKeyCount> numbers_;
  std::unordered_map<Group, ReportRow*, GroupHash> groups_;
  std::deque<ReportRow> rows_;
};

// ReportField returns where a row keeps `key`.
std::string ReportRow::* ReportField(ReportKey key);

}  // namespace turnpike
