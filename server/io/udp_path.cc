#include "server/io/udp_path.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "common/base/unique_fd.h"

namespace turnpike {

std::string_view UdpPathName(UdpPath path) {
  switch (path) {
    case UdpPath::kPlain:
      return "plain";
    case UdpPath::kBatch:
      return "batch";
    case UdpPath::kOffload:
      return "offload";
  }
  return "";
}

UdpPath FastestUdpPath() {
  const UniqueFd probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  const int on = 1;
  const int size = 1000;
  const bool offloads = probe.valid() &&
                        setsockopt(probe.get(), IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) == 0 &&
                        setsockopt(probe.get(), IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) == 0;
  return offloads ? UdpPath::kOffload : UdpPath::kBatch;
}

}  // namespace turnpike
