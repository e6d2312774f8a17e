#include "tools/load/udp_sender.h"

#include <liburing.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace turnpike::load {
namespace {

// MayBeAnEcho says whether an error can be the late answer to an earlier datagram, which a send
// reports instead of sending.
bool MayBeAnEcho(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EINTR;
}

// IsNoSegmentation says whether a device or a kernel without UDP_SEGMENT answers so.
bool IsNoSegmentation(int error) { return error == EINVAL || error == EIO || error == EMSGSIZE; }

}  // namespace

void UdpSender::CloseRing::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  delete ring;
}

UdpSender::UdpSender(bool batched) {
  if (!batched) return;
  auto ring = std::make_unique<io_uring>();
  io_uring_params parameters{};
  if (io_uring_queue_init_params(kBatch, ring.get(), &parameters) != 0) return;
  ring_.reset(ring.release());
  // Without it (before Linux 5.17) each packet would have to be told of.
  if ((parameters.features & IORING_FEAT_CQE_SKIP) == 0) ring_.reset();
  notes_.resize(kBatch);
}

UdpSender::~UdpSender() = default;

const msghdr* UdpSender::Describe(const Train& train, Note& note) {
  note.vector = {const_cast<uint8_t*>(train.bytes.data()), train.bytes.size()};
  note.header = {};
  note.header.msg_iov = &note.vector;
  note.header.msg_iovlen = 1;
  note.header.msg_control = note.control.data();
  note.header.msg_controllen = note.control.size();
  cmsghdr* const segment = CMSG_FIRSTHDR(&note.header);
  segment->cmsg_level = IPPROTO_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  const auto size = static_cast<uint16_t>(train.message_size);
  std::memcpy(CMSG_DATA(segment), &size, sizeof(size));
  return &note.header;
}

void UdpSender::SendAlone(Train& train) {
  Note note;
  size_t offset = 0;
  size_t run = train.count - train.taken;
  for (bool retried = false; train.taken < train.count;) {
    const size_t most = train.count == 1 ? train.bytes.size() : size_t{train.message_size};
    offset = train.taken * most;
    const ByteSpan rest = train.bytes.subspan(offset);
    const ssize_t sent =
        run > 1 ? sendmsg(train.fd, Describe(train, note), MSG_DONTWAIT)
                : send(train.fd, rest.data(), std::min(most, rest.size()), MSG_DONTWAIT);
    if (sent >= 0) {
      train.taken += static_cast<uint32_t>(run);
      retried = false;
      continue;
    }
    if (run > 1 && IsNoSegmentation(errno)) {
      run = 1;
    } else if (!retried && MayBeAnEcho(errno)) {
      retried = true;
    } else {
      train.error = errno;
      return;
    }
  }
}

void UdpSender::SendBatch(std::span<Train> trains) {
  for (size_t i = 0; i < trains.size(); ++i) {
    Train& train = trains[i];
    io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());
    if (train.count > 1) {
      io_uring_prep_sendmsg(entry, train.fd, Describe(train, notes_[i]), MSG_DONTWAIT);
    } else {
      io_uring_prep_send(entry, train.fd, train.bytes.data(), train.bytes.size(), MSG_DONTWAIT);
    }
    // Only what fails is told of.
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = i;
    train.taken = train.count;
  }
  size_t given = 0;
  while (given < trains.size()) {
    const int submitted = io_uring_submit(ring_.get());
    if (submitted == -EINTR) continue;
    if (submitted <= 0) break;
    given += static_cast<size_t>(submitted);
  }
  // A send never waits here (MSG_DONTWAIT), so all are done when the submission returns.
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(ring_.get(), &completion) == 0) {
    trains[completion->user_data].taken = 0;
    io_uring_cqe_seen(ring_.get(), completion);
  }
  if (given < trains.size()) {
    // The kernel has no memory for more: what is left in the ring must not leave later.
    for (Train& train : trains.subspan(given)) train.taken = 0;
    ring_.reset();
  }
  // Again, by itself: what failed for an echo, or for want of segmentation, goes now.
  for (Train& train : trains) {
    if (train.taken == 0) SendAlone(train);
  }
}

void UdpSender::Send(std::span<Train> trains) {
  if (!is_batched() || trains.size() == 1) {
    for (Train& train : trains) SendAlone(train);
    return;
  }
  while (!trains.empty()) {
    const size_t size = std::min(trains.size(), kBatch);
    SendBatch(trains.first(size));
    trains = trains.subspan(size);
  }
}

}  // namespace turnpike::load
