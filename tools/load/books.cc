#include "tools/load/books.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/metering/report.h"
#include "tools/load/plan.h"
#include "tools/load/socket.h"

namespace turnpike::load {
namespace {

constexpr int kTimeoutMs = 10'000;

bool WaitFor(const UniqueFd& fd, short events) {
  pollfd poll_fd{fd.get(), events, 0};
  return poll(&poll_fd, 1, kTimeoutMs) == 1;
}

// Talk sends `request` and returns everything until the server closes.
std::expected<std::string, std::string> Talk(const TransportAddress& server,
                                             std::string_view request) {
  const auto fd = OpenTcp(server);
  if (!fd) return std::unexpected(fd.error());
  const auto failed = [&](const char* why) {
    return std::unexpected(server.ToString() + ": " + why);
  };
  while (!request.empty()) {
    if (!WaitFor(*fd, POLLOUT)) return failed("does not answer");
    const ssize_t sent = send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return failed(std::strerror(errno));
    request.remove_prefix(sent > 0 ? static_cast<size_t>(sent) : 0);
  }
  std::string answer;
  std::array<char, 65536> buffer;
  while (true) {
    if (!WaitFor(*fd, POLLIN)) return failed("does not answer");
    const ssize_t size = recv(fd->get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) continue;
    if (size < 0) return failed(std::strerror(errno));
    if (size == 0) return answer;
    answer.append(buffer.data(), static_cast<size_t>(size));
  }
}

}  // namespace

std::expected<std::vector<LedgerSession>, std::string> ReadLedger(const std::string& directory,
                                                                  WallTime since) {
  SessionQuery query;
  query.directory = directory;
  query.period.from = BucketStart(BucketOf(since));
  std::vector<LedgerSession> sessions;
  const auto read = SessionsReport(
      query,
      {[](const ReportScope&) { return true; },
       [&](const SessionRow& row) {
         if (row.started_at >= since) {
           sessions.push_back({row.client_address, row.relayed_address, row.ended_at.has_value(),
                               row.totals, row.account, row.region, row.transport, row.label});
         }
         return true;
       }});
  if (!read) return std::unexpected(read.error());
  return sessions;
}

std::expected<std::string, std::string> FetchPage(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return std::unexpected(url + ": use http://ADDRESS:PORT/metrics");
  }
  const std::string_view rest = std::string_view(url).substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const auto host = ParseHostPort(rest.substr(0, slash));
  if (!host) return std::unexpected(url + ": " + host.error());
  const auto ip = Resolve(host->host);
  if (!ip) return std::unexpected(ip.error());
  const std::string path = slash < rest.size() ? std::string(rest.substr(slash)) : "/metrics";
  const auto answer =
      Talk({*ip, host->port.value_or(80)},
           "GET " + path + " HTTP/1.0\r\nHost: " + host->host + "\r\nConnection: close\r\n\r\n");
  if (!answer) return std::unexpected(url + ": " + answer.error());
  const size_t body = answer->find("\r\n\r\n");
  const size_t status = answer->find(' ');
  if (body == std::string::npos || answer->substr(status + 1, 3) != "200") {
    return std::unexpected(url + " is answered with `" + answer->substr(0, answer->find('\r')) +
                           "`");
  }
  return answer->substr(body + 4);
}

}  // namespace turnpike::load
