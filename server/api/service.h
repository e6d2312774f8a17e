// What the API answers from.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "common/net/edge.h"

namespace turnpike {

// ApiSettings is what the configuration says of the API, as values. A reload makes new ones.
struct ApiSettings {
  std::vector<Edge> edges = {};  // one at least
  EdgeChoice edge_choice = EdgeChoice::kNearest;
};

// ApiService is the state that all requests share. Every method may be called from any thread.
class ApiService {
 public:
  explicit ApiService(ApiSettings settings) { SetSettings(std::move(settings)); }

  // settings returns those in force; they do not change while somebody holds them.
  std::shared_ptr<const ApiSettings> settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  void SetSettings(ApiSettings settings) {
    auto made = std::make_shared<const ApiSettings>(std::move(settings));
    const std::lock_guard lock(mutex_);
    settings_ = std::move(made);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ApiSettings> settings_;
};

}  // namespace turnpike
