#include "tools/replay/capture.h"

#include <pcap/pcap.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace turnpike::replay {
namespace {

constexpr size_t kReadBuffer = size_t{1} << 20;

std::optional<LinkType> LinkTypeOf(int datalink) {
  switch (datalink) {
    case DLT_EN10MB:
      return LinkType::kEthernet;
    case DLT_LINUX_SLL:
      return LinkType::kSll;
    case DLT_LINUX_SLL2:
      return LinkType::kSll2;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return LinkType::kRaw;
    case DLT_NULL:
    case DLT_LOOP:
      return LinkType::kNull;
    default:
      return std::nullopt;
  }
}

std::unexpected<CaptureError> Failed(const std::string& name, const std::string& why,
                                     bool cut_off = false) {
  return std::unexpected(CaptureError{name + " " + why, cut_off});
}

// IsCompressed looks at the first bytes, and goes back to the start.
bool IsCompressed(std::FILE* file) {
  std::array<uint8_t, 4> head{};
  const size_t size = std::fread(head.data(), 1, head.size(), file);
  const bool at_start = std::fseek(file, 0, SEEK_SET) == 0;
  const bool gzip = head[0] == 0x1f && head[1] == 0x8b;
  const bool zstd = head == std::array<uint8_t, 4>{0x28, 0xb5, 0x2f, 0xfd};
  return at_start && size == head.size() && (gzip || zstd);
}

}  // namespace

std::string_view LinkTypeName(LinkType type) {
  switch (type) {
    case LinkType::kEthernet:
      return "Ethernet";
    case LinkType::kSll:
      return "Linux cooked (SLL)";
    case LinkType::kSll2:
      return "Linux cooked (SLL2)";
    case LinkType::kRaw:
      return "raw IP";
    case LinkType::kNull:
      break;
  }
  return "loopback";
}

void Capture::Closer::operator()(pcap* handle) const { pcap_close(handle); }

std::expected<Capture, CaptureError> Capture::Open(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return Failed(path, std::string("cannot be read: ") + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return Failed(path, "is no regular file: a capture is read twice, so write it to a file first");
  }
  if (status.st_size == 0) return Failed(path, "is empty");
  std::FILE* const file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return Failed(path, std::string("cannot be read: ") + std::strerror(errno));
  std::setvbuf(file, nullptr, _IOFBF, kReadBuffer);
  return FromFile(file, path);  // NOLINT(clang-analyzer-unix.Stream): libpcap closes it
}

std::expected<Capture, CaptureError> Capture::FromFile(std::FILE* file, std::string name) {
  if (IsCompressed(file)) {
    std::fclose(file);
    return Failed(name, "is compressed: unpack it first (gunzip, unzstd)");
  }
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  std::unique_ptr<pcap, Closer> handle(
      pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error.data()));
  if (handle == nullptr) {
    std::fclose(file);
    return Failed(name, std::string("is no capture (pcap or pcapng): ") + error.data());
  }
  const int datalink = pcap_datalink(handle.get());
  const auto link_type = LinkTypeOf(datalink);
  if (!link_type) {
    const char* const known = pcap_datalink_val_to_description(datalink);
    return Failed(name, "was captured on a link of type " + std::to_string(datalink) +
                            (known != nullptr ? " (" + std::string(known) + ")" : "") +
                            ": Ethernet, Linux cooked, raw IP and loopback are understood");
  }
  return Capture(std::move(handle), std::move(name), *link_type);
}

std::expected<std::optional<CapturedPacket>, CaptureError> Capture::Next() {
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  const int result = pcap_next_ex(handle_.get(), &header, &bytes);
  if (result == PCAP_ERROR_BREAK) return std::nullopt;
  if (result != 1) {
    const std::string_view why = pcap_geterr(handle_.get());
    const bool cut_off = why.find("truncated") != std::string_view::npos;
    return Failed(name_,
                  (cut_off ? "is cut off after " : "cannot be read after ") +
                      std::to_string(packets_) + " packets: " + std::string(why),
                  cut_off);
  }
  ++packets_;
  // A time that 64 bits of nanoseconds do not hold is as good as any other wrong one.
  constexpr int64_t kLastSecond = INT64_MAX / 2 / 1'000'000'000;
  const auto seconds = std::clamp<int64_t>(header->ts.tv_sec, 0, kLastSecond);
  // libpcap was asked for nanoseconds, whatever the name of the member says.
  const auto nanoseconds = std::clamp<int64_t>(header->ts.tv_usec, 0, 999'999'999);
  return CapturedPacket{
      std::chrono::seconds(seconds) + Duration(nanoseconds), {bytes, header->caplen}, header->len};
}

double Capture::share_read() const {
  std::FILE* const file = pcap_file(handle_.get());
  struct stat status{};
  if (fstat(fileno(file), &status) != 0 || status.st_size == 0) return 1;
  return static_cast<double>(ftello(file)) / static_cast<double>(status.st_size);
}

}  // namespace turnpike::replay
