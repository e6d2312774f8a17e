// Reads captures, pcap and pcapng, one packet at a time: the only file that knows libpcap.
#pragma once

#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/time.h"

struct pcap;

namespace turnpike::replay {

// LinkType says what a captured packet begins with.
enum class LinkType : uint8_t {
  kEthernet,  // with or without VLAN tags
  kSll,       // Linux "cooked", as `tcpdump -i any` wrote it for long
  kSll2,      // and as it writes it now
  kRaw,       // an IP header
  kNull,      // four bytes that name a family: loopback of the BSDs
};

// LinkTypeName returns what people call it: `Ethernet`.
std::string_view LinkTypeName(LinkType type);

// CapturedPacket is one packet of a capture.
struct CapturedPacket {
  Duration time;        // since 1970
  ByteSpan bytes;       // as far as they were captured; valid until the next packet is read
  uint32_t length = 0;  // on the wire
};

// CaptureError is why a capture cannot be read, or not to its end.
struct CaptureError {
  std::string what;      // a sentence with the capture's name
  bool cut_off = false;  // what was read before is whole; the rest was never written
};

// Capture is an open capture. Memory is that of one packet, whatever the size of the file.
class Capture {
 public:
  // Open opens the file at `path`, which must be a regular one: it is read twice.
  static std::expected<Capture, CaptureError> Open(const std::string& path);

  // FromFile reads `file`, which it closes; `name` names it in messages.
  static std::expected<Capture, CaptureError> FromFile(std::FILE* file, std::string name);

  // Next returns the next packet, or nullopt at the end.
  std::expected<std::optional<CapturedPacket>, CaptureError> Next();

  LinkType link_type() const { return link_type_; }

  // share_read is how much of the file has been read, 0 to 1.
  double share_read() const;

 private:
  struct Closer {
    void operator()(pcap* handle) const;
  };

  Capture(std::unique_ptr<pcap, Closer> handle, std::string name, LinkType link_type)
      : handle_(std::move(handle)), name_(std::move(name)), link_type_(link_type) {}

  std::unique_ptr<pcap, Closer> handle_;
  std::string name_;
  LinkType link_type_;
  uint64_t packets_ = 0;
};

}  // namespace turnpike::replay
