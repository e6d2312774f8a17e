#include "server/io/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <limits>

#include "common/base/check.h"
#include "server/io/tls_context.h"

namespace turnpike {
namespace {

// Header, content type, explicit nonce and tag of the suites in use take less than that.
constexpr size_t kRecordOverhead = 64;

}  // namespace

// Bio is a BIO of our own in place of two memory BIOs: nothing is copied on the way in, and on the
// way out a record is written straight to where it waits for the kernel.
struct TlsStream::Bio {
  static int Read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
    const size_t count = std::min(stream->input_.size(), static_cast<size_t>(size));
    if (count == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::copy_n(stream->input_.begin(), count, reinterpret_cast<uint8_t*>(out));
    stream->input_ = stream->input_.subspan(count);
    return static_cast<int>(count);
  }

  static int Write(BIO* bio, const char* in, int size) {
    BIO_clear_retry_flags(bio);
    auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
    stream->out_->AppendBytes({reinterpret_cast<const uint8_t*>(in), static_cast<size_t>(size)});
    return size;
  }

  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static int Create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }

  static BIO_METHOD* Make() {
    BIO_METHOD* method = BIO_meth_new(0, "turnpike");
    TP_CHECK(method != nullptr);
    BIO_meth_set_read(method, &Read);
    BIO_meth_set_write(method, &Write);
    BIO_meth_set_ctrl(method, &Control);
    BIO_meth_set_create(method, &Create);
    return method;
  }

  static BIO* New(TlsStream* stream) {
    static const BIO_METHOD* const method = Make();  // lives as long as the process
    BIO* bio = BIO_new(method);
    TP_CHECK(bio != nullptr);  // fails only without memory
    BIO_set_data(bio, stream);
    return bio;
  }
};

void TlsStream::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(const TlsContext& context, WriteQueue& out)
    : out_(&out), ssl_(SSL_new(context.get())) {
  TP_CHECK(ssl_ != nullptr);  // fails only without memory
  BIO* bio = Bio::New(this);
  SSL_set_bio(ssl_.get(), bio, bio);  // takes the one reference
  SSL_set_accept_state(ssl_.get());
  // There is no renegotiation, so what only a handshake needs is given back after it.
  SSL_set_shed_handshake_config(ssl_.get(), 1);
}

TlsStream::~TlsStream() = default;

TlsStream::Status TlsStream::StatusOf(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Status::kOk;
    case SSL_ERROR_ZERO_RETURN:
      return Status::kClosed;
    default:
      return Status::kFailed;
  }
}

TlsStream::Received TlsStream::Receive(ByteSpan ciphertext, std::span<uint8_t> plaintext) {
  input_ = ciphertext;
  Received received;
  // BoringSSL's queue of errors belongs to the thread: what another connection left in it would be
  // taken for this one's.
  ERR_clear_error();
  if (!is_established()) {
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) received.status = StatusOf(result);
  }
  while (received.status == Status::kOk && is_established()) {
    const std::span<uint8_t> room = plaintext.subspan(received.size);
    TP_CHECK(!room.empty());
    const int result = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    if (result <= 0) {
      received.status = StatusOf(result);
      break;
    }
    received.size += static_cast<size_t>(result);
  }
  ERR_clear_error();
  input_ = {};
  return received;
}

bool TlsStream::Send(ByteSpan message) {
  if (!is_established()) return false;
  if (message.empty()) return true;
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), message.data(), static_cast<int>(message.size()));
  ERR_clear_error();
  // The queue takes everything, so a write is whole or has failed for good.
  return result == static_cast<int>(message.size());
}

void TlsStream::Shutdown() {
  if (!is_established()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

bool TlsStream::is_established() const { return SSL_in_init(ssl_.get()) == 0; }

size_t TlsStream::SizeOnWire(size_t size) {
  return size + (size / kRecordPayload + 1) * kRecordOverhead;
}

}  // namespace turnpike
