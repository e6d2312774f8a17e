#include "server/io/dtls_cookie.h"

#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <span>

#include "common/base/check.h"

namespace turnpike {
namespace {

// RFC 6347 §4.1 and §4.2.2: type, version, epoch, sequence number, length; then type, length,
// message_seq, fragment_offset, fragment_length. A ClientHello begins with version and random.
constexpr size_t kRecordHeader = 13;
constexpr size_t kHandshakeHeader = 12;
constexpr size_t kRandomOffset = kRecordHeader + kHandshakeHeader + 2;
// With an empty session id and cookie, one suite and one compression method. A HelloVerifyRequest
// of GnuTLS has 44 bytes, so nobody gets more than they send.
constexpr size_t kShortestHello = kRandomOffset + 32 + 1 + 1 + 2 + 2 + 1 + 1;

constexpr uint8_t kHandshake = 22;
constexpr uint8_t kClientHello = 1;
constexpr uint8_t kVersionMajor = 254;

// Identity is what a cookie is bound to: both addresses, so that it serves no other flow.
std::vector<uint8_t> Identity(const FiveTuple& tuple) {
  std::vector<uint8_t> identity;
  for (const TransportAddress& address : {tuple.client, tuple.server}) {
    const ByteSpan ip = address.ip.bytes();
    identity.insert(identity.end(), ip.begin(), ip.end());
    identity.push_back(static_cast<uint8_t>(address.port >> 8));
    identity.push_back(static_cast<uint8_t>(address.port));
  }
  return identity;
}

gnutls_datum_t Datum(std::span<uint8_t> bytes) {
  return {bytes.data(), static_cast<unsigned>(bytes.size())};
}

ssize_t Append(gnutls_transport_ptr_t out, const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  static_cast<std::vector<uint8_t>*>(out)->assign(bytes, bytes + size);
  return static_cast<ssize_t>(size);
}

}  // namespace

std::optional<DtlsHello> ReadDtlsHello(ByteSpan datagram) {
  if (datagram.size() < kShortestHello || datagram[0] != kHandshake ||
      datagram[1] != kVersionMajor || LoadU16(datagram, 3) != 0 ||
      datagram[kRecordHeader] != kClientHello) {
    return std::nullopt;
  }
  const size_t record_size = LoadU16(datagram, 11);
  const bool is_first_fragment = datagram[kRecordHeader + 6] == 0 &&
                                 datagram[kRecordHeader + 7] == 0 &&
                                 datagram[kRecordHeader + 8] == 0;
  if (!is_first_fragment || record_size < kShortestHello - kRecordHeader ||
      record_size > datagram.size() - kRecordHeader) {
    return std::nullopt;
  }
  DtlsHello hello;
  std::ranges::copy(datagram.subspan(kRandomOffset, hello.random.size()), hello.random.begin());
  hello.record_sequence = datagram[10];
  hello.message_sequence = datagram[kRecordHeader + 5];
  return hello;
}

DtlsCookies::DtlsCookies(RandomSource& random) : random_(random) {
  for (Key& key : keys_) random_.Fill(key);
}

void DtlsCookies::ChangeKeys(MonoTime now) {
  if (change_at_ && now < *change_at_) return;
  // After a long silence the older key is as old as the silence: it goes too.
  const bool both = change_at_ && now >= *change_at_ + kKeyLifetime;
  keys_[1] = keys_[0];
  random_.Fill(keys_[0]);
  if (both) random_.Fill(keys_[1]);
  change_at_ = now + kKeyLifetime;
}

bool DtlsCookies::Verify(const FiveTuple& tuple, ByteSpan datagram, MonoTime now) {
  ChangeKeys(now);
  std::vector<uint8_t> identity = Identity(tuple);
  return std::ranges::any_of(keys_, [&](Key& key) {
    gnutls_datum_t datum = Datum(key);
    gnutls_dtls_prestate_st prestate{};
    return gnutls_dtls_cookie_verify(&datum, identity.data(), identity.size(),
                                     const_cast<uint8_t*>(datagram.data()),  // only read
                                     datagram.size(), &prestate) == GNUTLS_E_SUCCESS;
  });
}

std::vector<uint8_t> DtlsCookies::Challenge(const FiveTuple& tuple, const DtlsHello& hello,
                                            MonoTime now) {
  ChangeKeys(now);
  std::vector<uint8_t> identity = Identity(tuple);
  gnutls_datum_t key = Datum(keys_[0]);
  // §4.2.1: "The server MUST use the record sequence number in the ClientHello as the record
  // sequence number in the HelloVerifyRequest."
  gnutls_dtls_prestate_st prestate{
      .record_seq = hello.record_sequence, .hsk_read_seq = 0, .hsk_write_seq = 0};
  std::vector<uint8_t> answer;
  const int sent =
      gnutls_dtls_cookie_send(&key, identity.data(), identity.size(), &prestate, &answer, &Append);
  TP_CHECK(sent >= 0 && answer.size() < kShortestHello);
  return answer;
}

}  // namespace turnpike
