#include "tools/load/socket.h"

#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace turnpike::load {
namespace {

// Room for what arrives between two looks at the socket; the kernel caps it at rmem_max.
constexpr int kReceiveBuffer = 4 << 20;

union SocketAddress {
  sockaddr base;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

socklen_t ToKernel(const TransportAddress& address, SocketAddress& out) {
  const ByteSpan bytes = address.ip.bytes();
  out.v6 = {};
  if (address.ip.is_v4()) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::memcpy(&out.v4.sin_addr, bytes.data(), bytes.size());
    return sizeof(out.v4);
  }
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  std::memcpy(&out.v6.sin6_addr, bytes.data(), bytes.size());
  return sizeof(out.v6);
}

IpAddress IpOf(const SocketAddress& address) {
  if (address.base.sa_family == AF_INET6) {
    return IpAddress::V6(std::span<const uint8_t, 16>(address.v6.sin6_addr.s6_addr, 16));
  }
  std::array<uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &address.v4.sin_addr, bytes.size());
  return IpAddress::V4(bytes);
}

std::string Why(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

bool Set(const UniqueFd& fd, int level, int option, int value) {
  return setsockopt(fd.get(), level, option, &value, sizeof(value)) == 0;
}

int FamilyOf(const IpAddress& ip) { return ip.is_v4() ? AF_INET : AF_INET6; }

std::string TooMany() {
  return errno == EMFILE ? "; a session takes up to two descriptors: raise `ulimit -n`" : "";
}

std::expected<std::vector<IpAddress>, std::string> LookUp(const std::string& host, int flags) {
  if (const auto ip = IpAddress::Parse(host)) return std::vector{*ip};
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0 || found == nullptr) {
    return std::unexpected("cannot find the host `" + host + "`: " + gai_strerror(error));
  }
  std::vector<IpAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketAddress address{};
    std::memcpy(&address, each->ai_addr, std::min<size_t>(each->ai_addrlen, sizeof(address)));
    const IpAddress ip = IpOf(address);
    if (std::ranges::count(addresses, ip) == 0) addresses.push_back(ip);
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

std::expected<UniqueFd, std::string> OpenUdp(const IpAddress& local) {
  UniqueFd fd(socket(FamilyOf(local), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!fd.valid()) return std::unexpected(Why("cannot open a UDP socket") + TooMany());
  Set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  // Both only tune: without GRO trains come apart, without the time the clock is read instead.
  Set(fd, IPPROTO_UDP, UDP_GRO, 1);
  Set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  SocketAddress address;
  const socklen_t size = ToKernel({local, 0}, address);
  if (bind(fd.get(), &address.base, size) != 0) {
    return std::unexpected(Why(("cannot bind to " + local.ToString()).c_str()));
  }
  return fd;
}

std::expected<UniqueFd, std::string> OpenTcp(const TransportAddress& server) {
  UniqueFd fd(socket(FamilyOf(server.ip), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd.valid()) return std::unexpected(Why("cannot open a TCP socket") + TooMany());
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SocketAddress address;
  const socklen_t size = ToKernel(server, address);
  if (connect(fd.get(), &address.base, size) != 0 && errno != EINPROGRESS) {
    return std::unexpected(Why(("cannot connect to " + server.ToString()).c_str()));
  }
  return fd;
}

std::expected<void, std::string> Connect(const UniqueFd& fd, const TransportAddress& to) {
  SocketAddress address;
  const socklen_t size = ToKernel(to, address);
  if (connect(fd.get(), &address.base, size) != 0) {
    return std::unexpected(Why(("cannot send to " + to.ToString()).c_str()));
  }
  return {};
}

TransportAddress LocalAddress(const UniqueFd& fd) {
  SocketAddress address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd.get(), &address.base, &size) != 0) return {};
  const bool is_v4 = address.base.sa_family == AF_INET;
  return {IpOf(address), ntohs(is_v4 ? address.v4.sin_port : address.v6.sin6_port)};
}

std::expected<IpAddress, std::string> SourceAddressFor(const TransportAddress& to) {
  const UniqueFd fd(socket(FamilyOf(to.ip), SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!fd.valid()) return std::unexpected(Why("cannot open a UDP socket"));
  if (const auto ok = Connect(fd, to); !ok) return std::unexpected(ok.error());
  return LocalAddress(fd).ip;
}

uint64_t KernelDrops(const UniqueFd& fd) {
  std::array<uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof(info);
  if (!fd.valid()) return 0;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

std::expected<std::vector<IpAddress>, std::string> ResolveAll(const std::string& host) {
  return LookUp(host, 0);
}

std::expected<IpAddress, std::string> Resolve(const std::string& host) {
  const auto found = LookUp(host, AI_ADDRCONFIG);
  if (!found) return std::unexpected(found.error());
  return found->front();
}

}  // namespace turnpike::load
