// The client's side of TLS over a socket that is connected.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>

struct ssl_st;

namespace turnpike {

// TlsClient speaks TLS 1.2 or later over a blocking socket, which stays the caller's and outlives
// it. The socket's timeouts are its timeouts. One thread at a time.
class TlsClient {
 public:
  // Start shakes hands and wants a certificate for `host`, a name or an IP address, from an
  // authority of the PEM file `authorities` (RFC 9110 §4.3.4). It fails with a sentence.
  static std::expected<TlsClient, std::string> Start(int socket, const std::string& host,
                                                     const std::string& authorities);

  // Send and Receive return as send(2) and recv(2) do.
  ssize_t Send(const char* bytes, size_t size);
  ssize_t Receive(char* bytes, size_t size);

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  using Session = std::unique_ptr<ssl_st, Free>;
  explicit TlsClient(Session session) : session_(std::move(session)) {}
  Session session_;
};

}  // namespace turnpike
