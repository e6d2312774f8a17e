// How datagrams move between the kernel and a worker.
#pragma once

#include <cstdint>
#include <string_view>

namespace turnpike {

// UdpPath names a way; each later one needs more of the kernel and spends less CPU on a packet.
enum class UdpPath : uint8_t {
  kPlain,    // one datagram a system call
  kBatch,    // recvmmsg and sendmmsg
  kOffload,  // besides, runs of one size to one address cross the UDP stack as one (GSO and GRO)
};

// UdpPathName returns the word of the configuration: plain, batch or offload.
std::string_view UdpPathName(UdpPath path);

// FastestUdpPath asks the kernel: kOffload from Linux 5.0 on, else kBatch.
UdpPath FastestUdpPath();

}  // namespace turnpike
