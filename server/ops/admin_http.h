// The operators' HTTP endpoint: metrics and health. civetweb serves it and stays inside
// admin_http.cc.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "common/net/transport_address.h"
#include "server/ops/admin_actions.h"
#include "server/ops/metrics_source.h"

namespace turnpike {

// AdminHttp answers GET and HEAD on `/metrics`, `/livez`, `/readyz` and `/`, and the JSON API of
// api_routes.h below `/v1/`; everything else is a 404 or a 405. It serves no files and has no TLS,
// and only the API asks for a token: its address belongs to a private network, loopback by default.
//
// `/livez` is 200 as long as the process answers. `/readyz` is 200 when the server takes new
// allocations, else 503 with the reason.
class AdminHttp {
 public:
  // Start listens on `address` and answers from two threads of its own, which take no signals; port
  // 0 picks a free one. `source` and `actions` are not owned, outlive the object, and are called
  // from those threads. It fails with a sentence when the address is taken, is not this host's, or
  // is IPv6, which the library as Debian builds it cannot serve.
  static std::expected<std::unique_ptr<AdminHttp>, std::string> Start(
      const TransportAddress& address, const MetricsSource& source, AdminActions& actions);

  // The destructor stops the threads; a request in progress is answered first. It takes up to two
  // seconds: civetweb's listening thread looks up no more often.
  ~AdminHttp();
  AdminHttp(const AdminHttp&) = delete;
  AdminHttp& operator=(const AdminHttp&) = delete;

  // port returns the port that it listens on.
  uint16_t port() const;

 private:
  class Impl;
  explicit AdminHttp(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike
