#include "tools/load/stream_leg.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/stun/stream_framer.h"

namespace turnpike::load {

std::expected<std::unique_ptr<ClientLeg>, std::string> StreamLeg::Open(const LegTarget& target) {
  auto fd = OpenTcp(target.server);
  if (!fd) return std::unexpected(fd.error());
  return std::make_unique<StreamLeg>(std::move(*fd), target);
}

StreamLeg::StreamLeg(UniqueFd fd, const LegTarget& target)
    : ClientLeg(std::move(fd)),
      name_(target.server.ToString() + " over " + std::string(TransportName(target.transport))) {
  if (target.transport == Transport::kTls) {
    tls_ = std::make_unique<TlsStream>(*target.tls, target.host);
  }
}

bool StreamLeg::is_open() const { return connected_ && (!tls_ || tls_->is_established()); }

std::string StreamLeg::Lost(const std::string& why) const {
  return (is_open() ? "the connection to " : "cannot connect to ") + name_ +
         (is_open() ? " is gone: " : ": ") + why;
}

std::expected<void, std::string> StreamLeg::OnWritable() {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return std::unexpected(Lost(std::strerror(error)));
    connected_ = true;
    if (tls_) {
      if (const auto ok = tls_->Start(out_); !ok) return std::unexpected(Lost(ok.error()));
    }
  }
  return Flush();
}

std::expected<void, std::string> StreamLeg::Flush() {
  while (out_begin_ < out_.size()) {
    const ssize_t sent =
        send(fd_.get(), out_.data() + out_begin_, out_.size() - out_begin_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        out_.erase(out_.begin(), out_.begin() + static_cast<ptrdiff_t>(out_begin_));
        out_begin_ = 0;
        return {};
      }
      return std::unexpected(Lost(std::strerror(errno)));
    }
    out_begin_ += static_cast<size_t>(sent);
  }
  out_.clear();
  out_begin_ = 0;
  return {};
}

void StreamLeg::SendControl(ByteSpan message) {
  if (tls_) {
    tls_->Send(message, out_);
  } else {
    out_.insert(out_.end(), message.begin(), message.end());
  }
  if (const auto ok = Flush(); !ok) broken_ = ok.error();
}

size_t StreamLeg::SendBurst(std::span<const Item> items, ByteSpan bytes) {
  size_t taken = 0;
  ByteSpan rest = bytes;
  for (const Item& item : items) {
    if (out_.size() - out_begin_ >= kMaxWaiting || !broken_.empty()) break;
    const ByteSpan message = rest.first(item.message_size);
    rest = rest.subspan(item.message_size);
    if (tls_) {
      // A record for each message, as browsers do: they hand packets over one by one.
      if (!tls_->Send(message, out_)) break;
    } else {
      out_.insert(out_.end(), message.begin(), message.end());
    }
    ++taken;
  }
  if (const auto ok = Flush(); !ok) broken_ = ok.error();
  return taken;
}

std::expected<void, std::string> StreamLeg::Receive(UdpReceiver& receiver, Duration, MonoTime now,
                                                    MessageSink& sink) {
  const std::span<uint8_t> room = receiver.scratch();
  while (broken_.empty()) {
    const ssize_t size = recv(fd_.get(), room.data(), room.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size < 0) return std::unexpected(Lost(std::strerror(errno)));
    if (size == 0) return std::unexpected(Lost("the server closed it"));
    const auto count = static_cast<size_t>(size);
    if (const auto ok = OnBytes(room.first(count), now, sink); !ok) return ok;
    if (count < room.size()) break;
  }
  if (!broken_.empty()) return std::unexpected(broken_);
  return Flush();
}

std::expected<void, std::string> StreamLeg::OnBytes(ByteSpan bytes, MonoTime now,
                                                    MessageSink& sink) {
  if (tls_) {
    const auto ok = tls_->Receive(bytes, in_, out_);
    const auto taken = DeliverFrames(in_, now, sink);
    if (!taken) return std::unexpected(taken.error());
    in_.erase(in_.begin(), in_.begin() + static_cast<ptrdiff_t>(*taken));
    return ok ? ok : std::unexpected(Lost(ok.error()));
  }
  if (!in_.empty()) {
    in_.insert(in_.end(), bytes.begin(), bytes.end());
    const auto taken = DeliverFrames(in_, now, sink);
    if (!taken) return std::unexpected(taken.error());
    in_.erase(in_.begin(), in_.begin() + static_cast<ptrdiff_t>(*taken));
    return {};
  }
  const auto taken = DeliverFrames(bytes, now, sink);
  if (!taken) return std::unexpected(taken.error());
  in_.assign(bytes.begin() + static_cast<ptrdiff_t>(*taken), bytes.end());
  return {};
}

std::expected<size_t, std::string> StreamLeg::DeliverFrames(ByteSpan bytes, MonoTime now,
                                                            MessageSink& sink) const {
  size_t taken = 0;
  while (taken < bytes.size()) {
    const auto frame = stun::NextFrame(bytes.subspan(taken));
    if (!frame) return std::unexpected(Lost("what the server sends is not TURN"));
    if (!*frame) break;
    sink.OnMessage((*frame)->message, now);
    taken += (*frame)->consumed;
  }
  return taken;
}

void StreamLeg::Close() {
  if (tls_ && tls_->is_established()) {
    tls_->Shutdown(out_);
    const auto ignored = Flush();
    static_cast<void>(ignored);
  }
}

}  // namespace turnpike::load
