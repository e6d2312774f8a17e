// Looks after usage triggers: fires those whose usage has reached its value, and delivers what they
// have to tell.
#pragma once

#include <condition_variable>
#include <expected>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "server/api/service.h"
#include "server/http/form.h"
#include "server/http/http_send.h"

namespace turnpike {

// WebhookSignature signs as the hosted services do: base64(HMAC-SHA1(key, url and, for a POST, each
// parameter's name and value in the order of names)). The key is the SHA-256 of the account's auth
// token in 64 lower-case hexadecimal digits, since the token itself is not kept.
std::string WebhookSignature(std::string_view key, std::string_view url, const Form& parameters);

// TriggerWatch works by itself once started. A trigger fires once in each period; its message is
// sent again, later and later, until its receiver answers 2xx or a day has passed, so it can come
// more than once: IdempotencyToken tells.
class TriggerWatch {
 public:
  using Send = std::function<std::expected<int, std::string>(const HttpSend&)>;

  // `service` is not owned and must have a TriggerStore.
  TriggerWatch(ApiService& service, Send send) : service_(service), send_(std::move(send)) {}
  ~TriggerWatch();
  TriggerWatch(const TriggerWatch&) = delete;
  TriggerWatch& operator=(const TriggerWatch&) = delete;

  // Start makes a thread that calls Step every few seconds.
  void Start();

  // Step evaluates all triggers and sends what is due, at the service's time.
  void Step();

 private:
  void Fire();
  void Deliver();
  void Run();

  ApiService& service_;
  Send send_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace turnpike
