#include "tools/load/client_leg.h"

#include <cerrno>
#include <cstring>

#include "tools/load/stream_leg.h"

namespace turnpike::load {
namespace {

class UdpLeg final : public ClientLeg {
 public:
  UdpLeg(Fd fd, std::string server) : ClientLeg(std::move(fd)), server_(std::move(server)) {}

  bool is_open() const override { return true; }

  void SendControl(ByteSpan message) override {
    // The client repeats what is lost, and an error of the path shows at the next receive.
    if (send(fd_.get(), message.data(), message.size(), 0) < 0 && errno == ECONNREFUSED) {
      refused_ = true;
    }
  }

  size_t SendBurst(const Burst& burst) override {
    const size_t sent = SendUdp(fd_.get(), burst);
    if (sent < burst.count() && errno == ECONNREFUSED) refused_ = true;
    return sent;
  }

  std::expected<void, std::string> OnWritable() override { return {}; }

  std::expected<void, std::string> Receive(UdpReceiver& receiver, Duration wall_to_mono,
                                           MonoTime now, MessageSink& sink) override {
    const int error = receiver.Receive(fd_.get(), wall_to_mono, now, sink);
    if (error == ECONNREFUSED || refused_) {
      return std::unexpected("nobody listens on " + server_ + " over udp (ICMP port unreachable)");
    }
    if (error != 0) return std::unexpected(server_ + " over udp: " + std::strerror(error));
    return {};
  }

 private:
  std::string server_;
  bool refused_ = false;
};

}  // namespace

std::expected<std::unique_ptr<ClientLeg>, std::string> ClientLeg::Open(const LegTarget& target) {
  if (IsStream(target.transport)) return StreamLeg::Open(target);
  const bool is_v4 = target.server.ip.is_v4();
  auto fd = OpenUdp(is_v4 ? IpAddress() : *IpAddress::Parse("::"));
  if (!fd) return std::unexpected(fd.error());
  if (const auto ok = Connect(*fd, target.server); !ok) return std::unexpected(ok.error());
  return std::make_unique<UdpLeg>(std::move(*fd), target.server.ToString());
}

}  // namespace turnpike::load
