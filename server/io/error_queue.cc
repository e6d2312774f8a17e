#include "server/io/error_queue.h"

#include <linux/errqueue.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "server/io/sockaddr.h"

namespace turnpike {
namespace {

// Room for the error with its sender's address, and for what else the socket asks to be told.
constexpr size_t kControlSize = 512;

bool IsError(const cmsghdr& control) {
  return (control.cmsg_level == IPPROTO_IP && control.cmsg_type == IP_RECVERR) ||
         (control.cmsg_level == IPPROTO_IPV6 && control.cmsg_type == IPV6_RECVERR);
}

}  // namespace

std::optional<QueuedError> TakeError(const UdpSocket& socket) {
  SocketAddress to{};
  alignas(cmsghdr) std::array<uint8_t, kControlSize> control;
  msghdr header{};
  header.msg_name = &to;
  header.msg_namelen = sizeof(to);
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  // No room for the datagram that failed: nobody asks for it.
  ssize_t got = -1;
  do {
    got = recvmsg(socket.fd.get(), &header, MSG_ERRQUEUE | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 || header.msg_namelen == 0) return std::nullopt;
  QueuedError error{.to = FromSocketAddress(to), .icmp = std::nullopt};
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (!IsError(*each)) continue;
    sock_extended_err extended;
    std::memcpy(&extended, CMSG_DATA(each), sizeof(extended));
    if (extended.ee_origin != SO_EE_ORIGIN_ICMP && extended.ee_origin != SO_EE_ORIGIN_ICMP6) break;
    error.icmp =
        IcmpError{.type = extended.ee_type, .code = extended.ee_code, .mtu = extended.ee_info};
  }
  return error;
}

}  // namespace turnpike
