#include "common/metering/report_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace turnpike {

std::string ReportRow::* ReportField(ReportKey key) {
  switch (key) {
    case ReportKey::kAccount:
      return &ReportRow::account;
    case ReportKey::kRegion:
      return &ReportRow::region;
    case ReportKey::kTransport:
      return &ReportRow::transport;
    case ReportKey::kLabel:
      return &ReportRow::label;
    case ReportKey::kDay:
      return &ReportRow::day;
    case ReportKey::kMonth:
      return &ReportRow::month;
    case ReportKey::kEdge:
      break;
  }
  return &ReportRow::edge;
}

uint32_t ReportGroups::Numbers::Of(std::string_view text) {
  if (last_ != nullptr && *last_ == text) return last_number_;
  auto found = numbers_.find(text);
  if (found == numbers_.end()) {
    found = numbers_.emplace(text, static_cast<uint32_t>(numbers_.size())).first;
  }
  last_ = &found->first;
  last_number_ = found->second;
  return last_number_;
}

size_t ReportGroups::GroupHash::operator()(const Group& group) const {
  uint64_t hash = 0;
  for (const uint32_t number : group) hash = (hash ^ number) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}

ReportGroups::ReportGroups(std::span<const ReportKey> by, TimeZone zone)
    : by_(by.begin(), by.end()), zone_(zone) {}

void ReportGroups::EnterBucket(BucketIndex bucket) {
  bucket_ = bucket;
  const std::chrono::year_month_day date(zone_.LocalDay(BucketStart(bucket)));
  month_ = fmt::format("{:04}-{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()));
  day_ = fmt::format("{}-{:02}", month_, static_cast<unsigned>(date.day()));
}

std::string_view ReportGroups::TextOf(ReportKey key, const UsageNames& names) const {
  switch (key) {
    case ReportKey::kAccount:
      return names.account;
    case ReportKey::kRegion:
      return names.region;
    case ReportKey::kTransport:
      return names.transport;
    case ReportKey::kLabel:
      return names.label;
    case ReportKey::kDay:
      return day_;
    case ReportKey::kMonth:
      return month_;
    case ReportKey::kEdge:
      break;
  }
  return names.edge;
}

ReportRow& ReportGroups::At(BucketIndex bucket, const UsageNames& names) {
  if (bucket != bucket_) EnterBucket(bucket);
  Group group{};
  for (const ReportKey key : by_) {
    const auto k = static_cast<size_t>(key);
    group[k] = numbers_[k].Of(TextOf(key, names));
  }
  const auto [found, is_new] = groups_.try_emplace(group, nullptr);
  if (is_new) {
    found->second = &rows_.emplace_back();
    for (const ReportKey key : by_) found->second->*ReportField(key) = TextOf(key, names);
  }
  return *found->second;
}

std::vector<ReportRow> ReportGroups::Take() {
  std::vector<ReportRow> rows(std::make_move_iterator(rows_.begin()),
                              std::make_move_iterator(rows_.end()));
  std::ranges::sort(rows, [&](const ReportRow& a, const ReportRow& b) {
    for (const ReportKey key : by_) {
      const auto field = ReportField(key);
      if (a.*field != b.*field) return a.*field < b.*field;
    }
    return false;
  });
  return rows;
}

}  // namespace turnpike
