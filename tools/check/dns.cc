#include "tools/check/dns.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tools/load/clock.h"
#include "tools/load/random.h"
#include "tools/load/socket.h"

namespace turnpike::check {
namespace {

constexpr uint16_t kOpt = 41;          // RFC 6891 §6.1.1
constexpr uint16_t kClientSubnet = 8;  // RFC 7871 §6
constexpr size_t kHeaderSize = 12;     // RFC 1035 §4.1.1
constexpr uint16_t kLargest = 1232;    // what we take over UDP
constexpr uint16_t kDnsPort = 53;

void Put16(std::vector<uint8_t>& out, uint16_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

// SkipName returns the offset behind the name at `at` (RFC 1035 §4.1.4), or nullopt.
std::optional<size_t> SkipName(ByteSpan bytes, size_t at) {
  while (at < bytes.size()) {
    const uint8_t length = bytes[at];
    if (length == 0) return at + 1;
    if ((length & 0xC0) == 0xC0) return at + 2;
    at += 1 + size_t{length};
  }
  return std::nullopt;
}

std::optional<Subnet> ParseSubnet(ByteSpan value) {
  if (value.size() < 4) return std::nullopt;
  const uint16_t family = LoadU16(value, 0);
  Subnet subnet{.address = {}, .source_prefix = value[2], .scope_prefix = value[3]};
  std::array<uint8_t, 16> bytes{};
  const size_t width = family == 1 ? 4 : 16;
  if (value.size() - 4 > width) return std::nullopt;
  std::ranges::copy(value.subspan(4), bytes.begin());
  if (family == 1) {
    subnet.address = IpAddress::V4(std::span<const uint8_t, 16>(bytes).first<4>());
  } else {
    subnet.address = IpAddress::V6(bytes);
  }
  return subnet;
}

void ReadOptions(ByteSpan data, DnsAnswer& answer) {
  answer.edns = true;
  while (data.size() >= 4) {
    const size_t size = LoadU16(data, 2);
    if (size > data.size() - 4) return;
    if (LoadU16(data, 0) == kClientSubnet) answer.subnet = ParseSubnet(data.subspan(4, size));
    data = data.subspan(4 + size);
  }
}

void ReadTexts(ByteSpan data, DnsAnswer& answer) {
  std::string text;
  while (!data.empty()) {
    const size_t size = std::min<size_t>(data[0], data.size() - 1);
    text.append(data.begin() + 1, data.begin() + 1 + static_cast<ptrdiff_t>(size));
    data = data.subspan(1 + size);
  }
  answer.texts.push_back(std::move(text));
}

}  // namespace

std::expected<std::vector<uint8_t>, std::string> BuildQuery(uint16_t id, std::string_view name,
                                                            RecordType type,
                                                            const IpAddress& client) {
  std::vector<uint8_t> query;
  Put16(query, id);
  Put16(query, 0x0100);  // RD: recursion desired
  for (const uint16_t count : std::to_array<uint16_t>({1, 0, 0, 1})) Put16(query, count);
  std::string_view rest = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
  while (!rest.empty()) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > 63 || name.size() > 253) {
      return std::unexpected("`" + std::string(name) + "` is no domain name");
    }
    query.push_back(static_cast<uint8_t>(label.size()));
    query.insert(query.end(), label.begin(), label.end());
    rest.remove_prefix(std::min(rest.size(), label.size() + 1));
  }
  query.push_back(0);
  Put16(query, static_cast<uint16_t>(type));
  Put16(query, 1);  // IN
  // RFC 7871 §11.1 recommends these lengths.
  const uint8_t prefix = client.is_v4() ? 24 : 56;
  const size_t used = prefix / 8;
  query.push_back(0);
  Put16(query, kOpt);
  Put16(query, kLargest);
  query.insert(query.end(), 4, 0);
  Put16(query, static_cast<uint16_t>(8 + used));
  Put16(query, kClientSubnet);
  Put16(query, static_cast<uint16_t>(4 + used));
  Put16(query, client.is_v4() ? 1 : 2);
  query.push_back(prefix);
  query.push_back(0);
  const ByteSpan bytes = client.bytes().first(used);
  query.insert(query.end(), bytes.begin(), bytes.end());
  return query;
}

std::optional<DnsAnswer> ParseAnswer(ByteSpan bytes, uint16_t id) {
  if (bytes.size() < kHeaderSize || LoadU16(bytes, 0) != id) return std::nullopt;
  if ((bytes[2] & 0x80) == 0) return std::nullopt;  // QR: a query
  DnsAnswer answer;
  answer.code = bytes[3] & 0x0F;
  std::optional<size_t> at = kHeaderSize;
  for (uint16_t i = 0; i < LoadU16(bytes, 4); ++i) {
    at = SkipName(bytes, *at);
    if (!at) return std::nullopt;
    *at += 4;
  }
  const size_t records = size_t{LoadU16(bytes, 6)} + LoadU16(bytes, 8) + size_t{LoadU16(bytes, 10)};
  for (size_t i = 0; i < records; ++i) {
    at = SkipName(bytes, *at);
    if (!at || *at + 10 > bytes.size()) return std::nullopt;
    const uint16_t type = LoadU16(bytes, *at);
    const size_t size = LoadU16(bytes, *at + 8);
    *at += 10;
    if (size > bytes.size() - *at) return std::nullopt;
    const ByteSpan data = bytes.subspan(*at, size);
    if (type == kOpt) ReadOptions(data, answer);
    if (type == static_cast<uint16_t>(RecordType::kTxt)) ReadTexts(data, answer);
    *at += size;
  }
  return answer;
}

std::expected<DnsAnswer, std::string> AskResolver(const TransportAddress& resolver,
                                                  std::string_view name, RecordType type,
                                                  Duration patience) {
  const auto source = load::SourceAddressFor(resolver);
  if (!source) return std::unexpected(source.error());
  const auto fd = load::OpenUdp(*source);
  if (!fd) return std::unexpected(fd.error());
  if (const auto ok = load::Connect(*fd, resolver); !ok) return std::unexpected(ok.error());
  load::KernelRandom random;
  const auto id = static_cast<uint16_t>(random.U64());
  const auto query = BuildQuery(id, name, type, *source);
  if (!query) return std::unexpected(query.error());
  const MonoTime deadline = load::ReadMono() + patience;
  constexpr Duration kRepeat = std::chrono::seconds(1);
  for (MonoTime next = load::ReadMono(); load::ReadMono() < deadline;) {
    if (load::ReadMono() >= next) {
      send(fd->get(), query->data(), query->size(), 0);
      next += kRepeat;
    }
    pollfd poller{.fd = fd->get(), .events = POLLIN, .revents = 0};
    const Duration wait = std::min(next, deadline) - load::ReadMono();
    poll(&poller, 1,
         static_cast<int>(std::max<int64_t>(0, wait / std::chrono::milliseconds(1)) + 1));
    std::array<uint8_t, 4096> buffer;
    const ssize_t size = recv(fd->get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno != EAGAIN) {
      return std::unexpected("the resolver " + resolver.ToString() + ": " + std::strerror(errno));
    }
    if (size < 0) continue;
    if (auto answer = ParseAnswer(ByteSpan(buffer).first(static_cast<size_t>(size)), id)) {
      return *answer;
    }
  }
  return std::unexpected("the resolver " + resolver.ToString() + " does not answer");
}

std::string Conclude(const DnsAnswer& answer) {
  if (answer.code != 0) return fmt::format("The resolver answers with DNS error {}.", answer.code);
  if (!answer.edns) {
    return "The resolver does not speak EDNS: a zone sees where the resolver is, not where this "
           "host is.";
  }
  if (!answer.subnet) {
    return "The resolver returns no Client Subnet: a zone sees where the resolver is, not where "
           "this host is.";
  }
  if (answer.subnet->scope_prefix == 0) {
    return "The resolver knows Client Subnet, but the answer does not depend on it: either the "
           "resolver keeps it to itself, or this zone does not look at it.";
  }
  return fmt::format(
      "The resolver passes Client Subnet on, and the zone used it: this answer is for {}/{}.",
      answer.subnet->address.ToString(), answer.subnet->scope_prefix);
}

std::optional<TransportAddress> FirstResolver(std::string_view resolv_conf) {
  constexpr std::string_view kWord = "nameserver";
  while (!resolv_conf.empty()) {
    std::string_view line = resolv_conf.substr(0, resolv_conf.find('\n'));
    resolv_conf.remove_prefix(std::min(resolv_conf.size(), line.size() + 1));
    if (!line.starts_with(kWord)) continue;
    line.remove_prefix(kWord.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    line = line.substr(0, line.find_first_of(" \t%#"));
    if (const auto ip = IpAddress::Parse(line)) return TransportAddress{*ip, kDnsPort};
  }
  return std::nullopt;
}

}  // namespace turnpike::check
