// Two allocations of one server whose relayed addresses are each other's peers.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "common/client/turn_client.h"
#include "tools/check/probe.h"
#include "tools/load/client_leg.h"
#include "tools/load/random.h"

namespace turnpike::check {

// RelayPair runs through the steps of a TURN path. Each call waits until its step is done, has
// failed or takes longer than the options' patience.
class RelayPair {
 public:
  RelayPair(const Probe& probe, const ProbeOptions& options);

  StepResult Connect();
  // ShakeHands fails for a certificate that a browser would refuse, unless options.insecure.
  StepResult ShakeHands(TlsResult& tls);
  StepResult AwaitChallenge();
  StepResult Allocate(PathResult& result);
  // MeetAtRelay lets each allocation be the other's peer and waits for one datagram between them.
  StepResult MeetAtRelay();
  // Measure sends a stream from the first to the second. After MeetAtRelay.
  Quality Measure();
  // Release gives the allocations back, without waiting for an answer.
  void Release();

 private:
  // End is one client: a connection and its allocation.
  struct End final : load::MessageSink {
    explicit End(RelayPair& pair, size_t index) : pair(pair), index(index) {}
    void OnMessage(ByteSpan bytes, MonoTime arrival) override;

    RelayPair& pair;
    size_t index;
    std::unique_ptr<load::ClientLeg> leg;
    std::unique_ptr<TurnClient> client;
    bool challenged = false;
    std::optional<Allocated> allocated;
    bool bound = false;
  };

  // Turn waits for something to happen, until `until` at most, and handles it.
  void Turn(MonoTime until);
  void Flush(End& end, MonoTime now);
  void OnEvent(End& end, const ClientEvent& event);
  void OnPayload(ByteSpan payload, MonoTime arrival);
  void Send(uint32_t sequence, MonoTime now);
  // Await turns until `done` holds; it returns how the step came out.
  template <typename Done>
  StepResult Await(Step step, Done done);
  std::vector<std::string> VersionsOf(const std::string& negotiated);

  const Probe& probe_;
  const ProbeOptions& options_;
  load::TlsClientContext tls_;
  load::KernelRandom random_;
  load::UdpReceiver receiver_;
  uint32_t run_;
  std::vector<uint8_t> payload_;
  Stream stream_;
  std::array<std::unique_ptr<End>, 2> ends_;
  std::optional<StepResult> broken_;  // fault and detail of what has failed
  std::vector<Arrival> arrivals_;
  uint32_t met_ = 0;  // datagrams that came before the stream
};

}  // namespace turnpike::check
