#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "common/client/long_term_credential.h"
#include "common/stun/message.h"
#include "tools/load/hostile_kinds.h"
#include "tools/load/socket.h"

namespace turnpike::load {
namespace {

// Intruder has a name and a wrong password.
struct Intruder final : MessageSink {
  Intruder(HostileStage& the_stage, UniqueFd the_fd)
      : stage(the_stage),
        fd(std::move(the_fd)),
        credential(the_stage.plan().username, the_stage.plan().password + "-wrong", false) {}

  void OnMessage(ByteSpan bytes, MonoTime) override {
    const auto message = stun::MessageView::Parse(bytes);
    if (!message) return stage.Answered("sent something that is not STUN");
    if (message->message_class() == stun::Class::kSuccessResponse) {
      return stage.Answered("GRANTED an allocation");
    }
    const auto value = message->Find(stun::AttributeType::kErrorCode);
    const auto error = value ? stun::DecodeErrorCode(*value) : std::nullopt;
    if (!error) return stage.Answered("sent something else");
    stage.Answered("answered " + std::to_string(error->code) + " (" +
                   std::string(stun::ErrorPhrase(error->code)) + ")");
    static_cast<void>(credential.Learn(*message));  // realm and nonce, as an honest client
  }

  void Send() {
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    stun::TransactionId id;
    stage.context().random.Fill(id);
    stun::MessageBuilder builder(buffer, stun::Class::kRequest, stun::Method::kAllocate, id);
    builder.AddU32(stun::AttributeType::kRequestedTransport, uint32_t{IPPROTO_UDP} << 24);
    const bool known = credential.known();
    const ByteSpan request =
        known ? credential.Finish(builder, false) : builder.FinishUnauthenticated(false);
    if (send(fd.get(), request.data(), request.size(), 0) < 0) {
      return stage.Did("requests that the kernel refused to send");
    }
    stage.Did(known ? "Allocate requests under a wrong password"
                    : "Allocate requests without credentials, to get a nonce");
  }

  HostileStage& stage;
  UniqueFd fd;
  LongTermCredential credential;
};

}  // namespace

void FloodBadAuth(HostileStage& stage) {
  const Plan& plan = stage.plan();
  const TransportAddress& server = plan.servers[static_cast<size_t>(Transport::kUdp)];
  std::vector<std::unique_ptr<Intruder>> intruders;
  for (uint32_t i = 0; i < plan.sessions; ++i) {
    auto fd = OpenUdp(server.ip.is_v4() ? IpAddress() : *IpAddress::Parse("::"));
    if (!fd) return void(stage.result().error = fd.error());
    if (const auto ok = Connect(*fd, server); !ok) return void(stage.result().error = ok.error());
    intruders.push_back(std::make_unique<Intruder>(stage, std::move(*fd)));
  }
  size_t next = 0;
  size_t looked = 0;
  const auto look = [&] {
    ThreadContext& context = stage.context();
    for (size_t i = 0; i < std::min(intruders.size(), kLooksAtOnce); ++i) {
      Intruder& each = *intruders[looked++ % intruders.size()];
      const int error =
          context.receiver.Receive(each.fd.get(), context.wall_to_mono, context.now, each);
      if (error == ECONNREFUSED) stage.Answered("has closed the port (ICMP)");
    }
  };
  stage.Flood([&] { intruders[next++ % intruders.size()]->Send(); }, look);
  stage.Poll(plan.settle, [] { return false; }, look);
}

}  // namespace turnpike::load
