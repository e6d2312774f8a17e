#include "tools/load/client_leg.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "tools/load/dtls_leg.h"
#include "tools/load/stream_leg.h"

namespace turnpike::load {
namespace {

class UdpLeg final : public ClientLeg {
 public:
  static std::expected<std::unique_ptr<ClientLeg>, std::string> Open(const LegTarget& target) {
    auto fd = OpenUdpTo(target.server);
    if (!fd) return std::unexpected(fd.error());
    return std::make_unique<UdpLeg>(std::move(*fd), target.server.ToString() + " over udp");
  }

  UdpLeg(UniqueFd fd, std::string name) : ClientLeg(std::move(fd)), name_(std::move(name)) {}

  bool is_open() const override { return true; }

  void SendControl(ByteSpan message) override {
    // The client repeats what is lost, and an error of the path shows at the next receive.
    if (send(fd_.get(), message.data(), message.size(), 0) < 0) OnSendError(errno);
  }

  size_t SendBurst(std::span<const Item>, ByteSpan) override { return 0; }

  void OnSendError(int error) override {
    if (error == ECONNREFUSED) refused_ = true;
  }

  std::expected<void, std::string> OnWritable() override { return {}; }

  std::expected<void, std::string> Receive(UdpReceiver& receiver, Duration wall_to_mono,
                                           MonoTime now, MessageSink& sink) override {
    const int error = receiver.Receive(fd_.get(), wall_to_mono, now, sink);
    if (error == 0 && !refused_) return {};
    return std::unexpected(ReceiveError(refused_ ? ECONNREFUSED : error, name_));
  }

 private:
  std::string name_;
  bool refused_ = false;
};

}  // namespace

std::expected<UniqueFd, std::string> ClientLeg::OpenUdpTo(const TransportAddress& server) {
  auto fd = OpenUdp(server.ip.is_v4() ? IpAddress() : *IpAddress::Parse("::"));
  if (!fd) return fd;
  if (const auto ok = Connect(*fd, server); !ok) return std::unexpected(ok.error());
  return fd;
}

std::string ClientLeg::ReceiveError(int error, const std::string& name) {
  if (error == ECONNREFUSED) {
    return "nobody listens on " + name + " (ICMP port unreachable)";
  }
  return name + ": " + std::strerror(error);
}

std::expected<std::unique_ptr<ClientLeg>, std::string> ClientLeg::Open(const LegTarget& target) {
  if (IsStream(target.transport)) return StreamLeg::Open(target);
  if (target.transport == Transport::kDtls) return DtlsLeg::Open(target);
  return UdpLeg::Open(target);
}

}  // namespace turnpike::load
