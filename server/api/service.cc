#include "server/api/service.h"

#include <utility>

namespace turnpike {

ApiService::ApiService(ApiHost host, ApiSettings settings)
    : host_(std::move(host)), accounts_(std::move(host_.accounts)) {
  SetSettings(std::move(settings));
}

std::shared_ptr<const ApiSettings> ApiService::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void ApiService::SetSettings(ApiSettings settings) {
  accounts_.SetConfigured(settings.accounts);
  auto made = std::make_shared<const ApiSettings>(std::move(settings));
  const std::lock_guard lock(mutex_);
  settings_ = std::move(made);
}

std::string ApiService::NewSidOf(std::string_view prefix) {
  const std::lock_guard lock(random_mutex_);
  return NewSid(prefix, *host_.random);
}

}  // namespace turnpike
