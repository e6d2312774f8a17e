// An HTTP client of a few lines, for servers on this host.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "server/http/http_server.h"

namespace turnpike::test {

// Exchange sends `request` as it is and returns all that comes back until the server closes.
inline std::string Exchange(const HttpServer& http, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(http.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size()));
  std::string response;
  char buffer[4096];
  for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    response.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return response;
}

inline std::string Request(const HttpServer& http, const std::string& method,
                           const std::string& path, const std::string& more_headers = "",
                           const std::string& body = "") {
  return Exchange(http, method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more_headers +
                            "\r\n" + body);
}

inline std::string Get(const HttpServer& http, const std::string& path) {
  return Request(http, "GET", path);
}

inline int StatusOf(const std::string& response) {
  return response.starts_with("HTTP/1.1 ") ? std::atoi(response.c_str() + 9) : 0;
}

inline std::string BodyOf(const std::string& response) {
  const size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}

inline bool HasHeader(const std::string& response, const std::string& line) {
  return response.substr(0, response.find("\r\n\r\n") + 2).find("\r\n" + line + "\r\n") !=
         std::string::npos;
}

}  // namespace turnpike::test
