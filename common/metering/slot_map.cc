#include "common/metering/slot_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace turnpike {
namespace {

// WriteZeros allocates by writing, for file systems without fallocate.
int WriteZeros(int fd, size_t offset, size_t size) {
  const std::vector<char> zeros(65536);
  while (size > 0) {
    const ssize_t n =
        pwrite(fd, zeros.data(), std::min(size, zeros.size()), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENOSPC;
    offset += static_cast<size_t>(n);
    size -= static_cast<size_t>(n);
  }
  return 0;
}

// Allocate gives the range real blocks: a full disk must be an error here, not a SIGBUS at the
// first packet. Returns errno's value, or 0.
int Allocate(int fd, size_t offset, size_t size) {
  int code;
  do {
    code = posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(size));
  } while (code == EINTR);
  if (code == EOPNOTSUPP || code == EINVAL) code = WriteZeros(fd, offset, size);
  if (code == 0 && fdatasync(fd) != 0) code = errno;
  return code;
}

std::unexpected<SlotMapError> Fail(std::string text) {
  return std::unexpected(SlotMapError{std::move(text)});
}

std::unexpected<SlotMapError> FailDamaged(const std::string& path, const char* why) {
  return std::unexpected(SlotMapError{path + " is damaged (" + why + ")", true});
}

// IsZeros says whether the first `size` bytes are all zero.
bool IsZeros(int fd, size_t size) {
  std::vector<char> bytes(size);
  if (pread(fd, bytes.data(), size, 0) != static_cast<ssize_t>(size)) return false;
  return std::ranges::all_of(bytes, [](char c) { return c == 0; });
}

}  // namespace

std::expected<std::unique_ptr<SlotMap>, SlotMapError> SlotMap::Open(const std::string& path,
                                                                    uint32_t max_segments) {
  auto file = OpenLocked(path);
  if (!file) return Fail(file.error());
  std::unique_ptr<SlotMap> map(new SlotMap);
  map->file_ = std::move(*file);
  struct stat status{};
  if (fstat(map->file_.get(), &status) != 0) {
    return Fail(SystemError("cannot read", path, errno));
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size < sizeof(SlotFileHeader)) {
    // Shorter than a header: a file that was just created, or one whose creation was cut short.
    if (!IsZeros(map->file_.get(), size)) {
      return FailDamaged(path, "not a slot file of Turnpike");
    }
    if (const int code = Allocate(map->file_.get(), 0, sizeof(SlotFileHeader)); code != 0) {
      return Fail(SystemError("cannot allocate", path, code));
    }
  }
  const size_t stored =
      (std::max(size, sizeof(SlotFileHeader)) - sizeof(SlotFileHeader)) / kSegmentSize;
  map->max_segments_ = std::max(max_segments, static_cast<uint32_t>(stored));
  map->reserved_ = SegmentOffset(map->max_segments_);
  void* base =
      mmap(nullptr, map->reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return Fail(SystemError("cannot map", path, errno));
  map->base_ = static_cast<std::byte*>(base);
  if (auto ok = map->MapRange(0, sizeof(SlotFileHeader)); !ok) {
    return Fail(SystemError("cannot map", path, ok.error()));
  }
  // The version is written last: 0 means that nobody has used the file yet.
  const auto& magic = map->header().magic;
  const bool is_new = map->header().format_version == 0 &&
                      (magic == kSlotFileMagic || magic == std::array<char, 8>{});
  if (auto ok = is_new ? map->Initialise(path) : map->Check(path, size); !ok) {
    return std::unexpected(ok.error());
  }
  // Power cut, or a bad disk, may have kept a segment and lost its count: its slots may be in use.
  if (map->segments() < stored) map->header().segments.store(static_cast<uint32_t>(stored));
  if (map->segments() > 0) {
    if (auto ok = map->MapRange(SegmentOffset(0), map->segments() * kSegmentSize); !ok) {
      return Fail(SystemError("cannot map", path, ok.error()));
    }
  }
  return map;
}

SlotMap::~SlotMap() {
  if (base_ != nullptr) munmap(base_, reserved_);
}

std::expected<void, SlotMapError> SlotMap::Initialise(const std::string& path) {
  SlotFileHeader& h = header();
  h.header_size = sizeof(SlotFileHeader);
  h.slots_per_segment = kSlotsPerSegment;
  h.live_size = sizeof(LiveUsage);
  h.record_size = sizeof(SlotRecord);
  h.ring_size = sizeof(BoundaryRing);
  h.tail_size = sizeof(NameTail);
  h.magic = kSlotFileMagic;
  h.format_version = kSlotFormatVersion;
  if (auto ok = SyncHeader(); !ok) {
    return Fail(SystemError("cannot write", path, ok.error()));
  }
  return {};
}

std::expected<void, SlotMapError> SlotMap::Check(const std::string& path, size_t file_size) const {
  const SlotFileHeader& h = header();
  if (h.magic != kSlotFileMagic) {
    return FailDamaged(path, "not a slot file of Turnpike");
  }
  if (h.format_version > kSlotFormatVersion) {
    return Fail(path + " has format " + std::to_string(h.format_version) +
                ", this program knows up to " + std::to_string(kSlotFormatVersion) +
                ": start the newer turnpiked that wrote it");
  }
  if (h.format_version < kSlotFormatVersion) {
    return Fail(path + " has format " + std::to_string(h.format_version) +
                ", of a build before the first release: move it away; sessions that it "
                "held are closed with what usage.db has of them");
  }
  const bool sizes = h.header_size == sizeof(SlotFileHeader) &&
                     h.slots_per_segment == kSlotsPerSegment && h.live_size == sizeof(LiveUsage) &&
                     h.record_size == sizeof(SlotRecord) && h.tail_size == sizeof(NameTail) &&
                     h.ring_size == sizeof(BoundaryRing);
  const bool whole = SegmentOffset(h.segments.load(std::memory_order_relaxed)) <= file_size;
  if (sizes && whole) return {};
  return FailDamaged(path, "sizes do not fit");
}

std::expected<void, int> SlotMap::MapRange(size_t offset, size_t size) {
  void* at = mmap(base_ + offset, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_.get(),
                  static_cast<off_t>(offset));
  if (at == MAP_FAILED) return std::unexpected(errno);
  return {};
}

std::expected<void, int> SlotMap::Grow() {
  const uint32_t index = segments();
  if (index >= max_segments_) return std::unexpected(ENOSPC);
  const size_t offset = SegmentOffset(index);
  if (const int code = Allocate(file_.get(), offset, kSegmentSize); code != 0) {
    return std::unexpected(code);
  }
  if (auto ok = MapRange(offset, kSegmentSize); !ok) return ok;
  header().segments.store(index + 1, std::memory_order_release);
  return {};
}

std::expected<void, int> SlotMap::SyncHeader() {
  if (msync(base_, sizeof(SlotFileHeader), MS_SYNC) != 0) return std::unexpected(errno);
  return {};
}

}  // namespace turnpike
