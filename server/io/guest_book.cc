#include "server/io/guest_book.h"

namespace turnpike {
namespace {

bool IsListener(LinkId link) { return link.value() < kFirstConnection; }

}  // namespace

void GuestBook::Host(const Client& client, CoreId owner) {
  if (IsListener(client.link)) {
    tuples_.insert_or_assign(client.five_tuple, owner);
  } else {
    connections_.insert_or_assign(client.link, owner);
  }
}

void GuestBook::Dismiss(const Client& client) {
  if (IsListener(client.link)) {
    tuples_.erase(client.five_tuple);
  } else {
    connections_.erase(client.link);
  }
}

std::optional<CoreId> GuestBook::FindOwner(const Client& client) const {
  if (IsListener(client.link)) {
    const auto found = tuples_.find(client.five_tuple);
    return found == tuples_.end() ? std::nullopt : std::optional(found->second);
  }
  const auto found = connections_.find(client.link);
  return found == connections_.end() ? std::nullopt : std::optional(found->second);
}

void GuestBook::NotePassed(LinkId link, CoreId owner) {
  if (!IsListener(link)) passed_.emplace(link, owner);
}

std::vector<CoreId> GuestBook::TakePassed(LinkId link) {
  connections_.erase(link);
  std::vector<CoreId> owners;
  const auto first = passed_.lower_bound({link, CoreId(0)});
  auto last = first;
  for (; last != passed_.end() && last->first == link; ++last) owners.push_back(last->second);
  passed_.erase(first, last);
  return owners;
}

LinkId GuestBook::LinkFor(const Whereabouts& to) {
  const auto [known, is_new] = links_.try_emplace(to);
  if (!is_new) return known->second;
  do {
    last_link_ = last_link_ == UINT32_MAX ? kFirstGuest : last_link_ + 1;
  } while (whereabouts_.contains(LinkId(last_link_)));
  known->second = LinkId(last_link_);
  whereabouts_.emplace(known->second, to);
  return known->second;
}

std::optional<GuestBook::Whereabouts> GuestBook::Find(LinkId guest) const {
  const auto found = whereabouts_.find(guest);
  return found == whereabouts_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<LinkId> GuestBook::Remove(const Whereabouts& to) {
  const auto node = links_.extract(to);
  if (node.empty()) return std::nullopt;
  whereabouts_.erase(node.mapped());
  return node.mapped();
}

uint64_t GuestBook::Await(const Forward& forward) {
  awaited_.emplace(++last_number_, forward);
  return last_number_;
}

std::optional<Forward> GuestBook::TakeAwaited(uint64_t number) {
  const auto node = awaited_.extract(number);
  return node.empty() ? std::nullopt : std::optional(node.mapped());
}

std::vector<Forward> GuestBook::TakeAllAwaited() {
  std::vector<Forward> all;
  for (const auto& [number, forward] : awaited_) all.push_back(forward);
  awaited_.clear();
  return all;
}

}  // namespace turnpike
