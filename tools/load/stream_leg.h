// A client's connection over TCP or TLS (RFC 8656 §12.5).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/load/client_leg.h"

namespace turnpike::load {

// StreamLeg connects, shakes hands and frames messages. What the kernel does not take at once waits
// in a bounded buffer.
class StreamLeg final : public ClientLeg {
 public:
  static std::expected<std::unique_ptr<ClientLeg>, std::string> Open(const LegTarget& target);

  explicit StreamLeg(UniqueFd fd, const LegTarget& target);

  bool is_open() const override;
  bool is_connected() const override { return connected_; }
  const TlsStream* tls() const override { return tls_.get(); }
  void SendControl(ByteSpan message) override;
  size_t SendBurst(std::span<const Item> items, ByteSpan bytes) override;
  std::expected<void, std::string> OnWritable() override;
  std::expected<void, std::string> Receive(UdpReceiver& receiver, Duration wall_to_mono,
                                           MonoTime now, MessageSink& sink) override;
  void Close() override;

 private:
  // kMaxWaiting bounds what waits for a server that does not read: packets beyond it are not sent.
  static constexpr size_t kMaxWaiting = size_t{256} << 10;

  std::expected<void, std::string> Flush();
  std::expected<void, std::string> OnBytes(ByteSpan bytes, MonoTime now, MessageSink& sink);
  // DeliverFrames hands out the whole messages of `bytes` and returns how much they took.
  std::expected<size_t, std::string> DeliverFrames(ByteSpan bytes, MonoTime now,
                                                   MessageSink& sink) const;
  std::string Lost(const std::string& why) const;

  std::string name_;  // of the server and the transport, for errors
  std::unique_ptr<TlsStream> tls_;
  bool connected_ = false;
  std::vector<uint8_t> out_;  // waits for the kernel, from out_begin_ on
  size_t out_begin_ = 0;
  std::vector<uint8_t> in_;  // the beginning of a message whose rest is still to come
  std::string broken_;       // why a send has failed; the next Receive says it
};

}  // namespace turnpike::load
