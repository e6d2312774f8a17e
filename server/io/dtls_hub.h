// All DTLS sessions of one worker (RFC 7350).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "server/io/dtls_cookie.h"
#include "server/io/dtls_session.h"
#include "server/io/io_stats.h"
#include "server/io/stream_options.h"
#include "server/io/system_random.h"
#include "server/io/transport.h"
#include "server/turn/deadlines.h"

namespace turnpike {

// DtlsPort is what the hub sends by: the sockets of the UDP listeners.
class DtlsPort {
 public:
  virtual ~DtlsPort() = default;

  // SendDatagram sends `bytes` by the listener `listener`, at the end of the loop turn at last.
  virtual void SendDatagram(LinkId listener, const FiveTuple& tuple,
                            std::vector<uint8_t> bytes) = 0;
};

// DtlsHub finds the session of each datagram, answers strangers with a cookie and no state, and
// ends sessions that are over. As with TLS, a session's end is its allocation's: without its keys
// nothing that peers send could reach the client any more.
class DtlsHub {
 public:
  // Nothing is owned; all of it outlives the hub.
  DtlsHub(StreamHost& host, DtlsPort& port, StreamStats& stats, const StreamOptions& options);
  ~DtlsHub();
  DtlsHub(const DtlsHub&) = delete;
  DtlsHub& operator=(const DtlsHub&) = delete;

  // IsDtls tells DTLS from STUN and ChannelData on one port by the first byte (RFC 7983 §7).
  static bool IsDtls(ByteSpan datagram) {
    return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63;
  }

  // OnDatagram takes a datagram of the flow `tuple` that came in by `listener`. What it decrypts
  // takes the place of `bytes`.
  void OnDatagram(LinkId listener, const FiveTuple& tuple, std::span<uint8_t> bytes);

  // Sealed is a datagram that is ready to be sent by `listener`.
  struct Sealed {
    LinkId listener;
    std::vector<uint8_t> bytes;
  };

  // Seal encrypts a Forward to the client of a session. It fails as DtlsSession::Seal does, and
  // with kClientGone without a session.
  std::expected<Sealed, DropReason> Seal(const Forward& forward);

  // SendStun sends a STUN message to the client of the session `link`, if there is one.
  void SendStun(LinkId link, ByteSpan message);

  // Reap, EndAll, NextDeadline, OnTimer and SetOptions are as in StreamHub.
  bool Reap();
  void EndAll();
  std::optional<MonoTime> NextDeadline() const;
  void OnTimer(MonoTime now);
  void SetOptions(const StreamOptions& options);

  size_t size() const { return by_link_.size(); }

 private:
  struct Client;

  Client* Find(const FiveTuple& tuple);
  Client* Find(LinkId link);
  Client* Adopt(LinkId listener, const FiveTuple& tuple, const DtlsHello& hello);
  bool Admit(const IpAddress& ip);
  void Receive(Client& client, std::span<uint8_t> bytes);
  void SendOutput(Client& client);
  void Fail(Client& client);
  void End(Client& client, ConnectionEnd reason);
  void Remove(Client& client);
  void Arm(Client& client);
  void OnDeadline(Client& client, MonoTime now);
  LinkId NewLink();

  StreamHost& host_;
  DtlsPort& port_;
  StreamStats& stats_;
  StreamOptions options_;
  SystemRandom random_;
  DtlsCookies cookies_;
  std::vector<std::unique_ptr<Client>> clients_;  // by record; some are empty
  std::vector<uint32_t> free_records_;
  std::map<FiveTuple, Client*> by_tuple_;  // strangers choose 5-tuples: no hash to collide
  std::unordered_map<LinkId, Client*> by_link_;
  uint32_t last_link_ = kFirstDtlsSession - 1;
  std::vector<Client*> ended_;
  Deadlines deadlines_;           // by record
  std::vector<uint8_t> message_;  // header, payload and padding of a Forward, put together
};

}  // namespace turnpike
