// A TURN client on a real socket, against a real server.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/client/turn_client.h"
#include "server/io/clock.h"
#include "server/io/system_random.h"
#include "tests/server/io/test_socket.h"

namespace turnpike {

// LiveClient drives a TurnClient over a TestSocket. Pump moves what can be moved and never waits,
// for tests that turn the server's loop themselves; Await waits, for servers with a thread of their
// own.
class LiveClient {
 public:
  LiveClient(const TransportAddress& bind, const TransportAddress& server,
             TurnClientOptions options)
      : socket_(bind), server_(server), turn_(std::move(options), random_) {}

  TurnClient& turn() { return turn_; }
  TestSocket& socket() { return socket_; }
  static MonoTime Now() { return ReadClocks().mono; }

  void Pump() {
    while (auto message = turn_.PollTransmit()) socket_.Send(AsText(*message), server_);
    while (const auto datagram = socket_.TryReceive()) {
      const auto data = turn_.OnServerMessage(AsBytes(datagram->bytes), Now());
      if (data) received_.emplace_back(AsText(data->payload));
    }
    while (auto message = turn_.PollTransmit()) socket_.Send(AsText(*message), server_);
    while (auto event = turn_.PollEvent()) events_.push_back(*event);
  }

  // Find returns the newest event of that type, if one has come.
  template <typename Event>
  std::optional<Event> Find() const {
    std::optional<Event> found;
    for (const ClientEvent& event : events_) {
      if (const auto* each = std::get_if<Event>(&event)) found = *each;
    }
    return found;
  }

  // Await pumps until an event of that type has come, or nothing comes for five seconds.
  template <typename Event>
  std::optional<Event> Await() {
    for (Pump(); !Find<Event>(); Pump()) {
      if (!socket_.Await()) return std::nullopt;
    }
    return Find<Event>();
  }

  // SendTo sends application data to `peer`.
  void SendTo(const TransportAddress& peer, std::string_view payload) {
    const auto head = turn_.HeadFor(PeerAddress(peer), payload.size());
    if (!head) return;
    socket_.Send(std::string(AsText(head->bytes())) + std::string(payload) +
                     std::string(head->padding, '\0'),
                 server_);
  }

  // AwaitData returns the next application data; empty when none came in time.
  std::string AwaitData() {
    for (Pump(); received_.empty(); Pump()) {
      if (!socket_.Await()) return {};
    }
    std::string data = received_.front();
    received_.pop_front();
    return data;
  }

  const std::deque<std::string>& received() const { return received_; }

 private:
  SystemRandom random_;
  TestSocket socket_;
  TransportAddress server_;
  TurnClient turn_;
  std::vector<ClientEvent> events_;
  std::deque<std::string> received_;
};

}  // namespace turnpike
