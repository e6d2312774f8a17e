#include "server/io/udp.h"

#include <cerrno>
#include <cstring>

#include "common/base/check.h"
#include "server/io/dtls_hub.h"

namespace turnpike {
namespace {

// Batches per readiness event: a flood on one socket lets the others have their turn; what is left
// is reported again by the next poll.
constexpr int kMaxBatches = 4;

std::string BindFailure(const TransportAddress& address, int error) {
  std::string text = "cannot listen on udp " + address.ToString() + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += "; another program has this port";
  if (error == EACCES) text += "; ports below 1024 need the capability CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL) text += "; no interface of this host has this address";
  return text;
}

}  // namespace

std::expected<std::unique_ptr<UdpListener>, std::string> UdpListener::Open(
    uv_loop_t* loop, const UdpListenOptions& options, LinkId link, TransportHost& host,
    DtlsHub* dtls) {
  TP_CHECK(!options.dtls || dtls != nullptr);
  const TransportAddress& address = options.address;
  auto socket = OpenUdpSocket(address, {.share_port = true,
                                        .learn_destination = address.ip.is_unspecified(),
                                        .receive_runs = host.receive_batch().takes_runs(),
                                        .receive_buffer = kListenerBuffer,
                                        .send_buffer = kListenerBuffer});
  if (!socket) return std::unexpected(BindFailure(address, socket.error()));
  std::unique_ptr<UdpListener> listener(new UdpListener(options, link, host, dtls));
  listener->options_.address = LocalAddress(*socket);
  listener->socket_ = std::move(*socket);
  auto poll = UvPoll::Watch(loop, listener->socket_.fd.get(), listener.get());
  if (!poll) return std::unexpected(BindFailure(address, -poll.error()));
  listener->poll_ = std::make_unique<UvPoll>(std::move(*poll));
  return listener;
}

void UdpListener::OnReadable() {
  for (int i = 0; i < kMaxBatches; ++i) {
    const auto batch = host_.receive_batch().Receive(socket_);
    for (const ReceivedRun& run : batch.runs) Take(run);
    host_.OnBatchEnd();
    if (!batch.more) return;
  }
}

void UdpListener::Take(const ReceivedRun& run) {
  const TransportAddress server{run.to.value_or(address().ip), address().port};
  const Client client{{run.from, server, Transport::kUdp}, link_};
  run.ForEach([&](std::span<uint8_t> bytes, ByteSpan rest) -> std::optional<size_t> {
    if (options_.dtls && (!options_.plain || DtlsHub::IsDtls(bytes))) {
      dtls_->OnDatagram(link_, {run.from, server, Transport::kDtls}, bytes);
      return 0;
    }
    return host_.OnClientDatagram(client, bytes, rest);
  });
}

std::expected<void, std::string> CheckUdpAddressFree(const TransportAddress& address) {
  const auto socket = OpenUdpSocket(address, {});
  if (!socket) return std::unexpected(BindFailure(address, socket.error()));
  return {};
}

}  // namespace turnpike
