// Configuration as values. `keys.cc` has THE table that says how each member is written in YAML;
// `load.cc` reads files. Nothing below `app` sees these types.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/base/time.h"
#include "common/metering/cap.h"
#include "common/net/edge.h"
#include "common/net/five_tuple.h"
#include "common/net/ip_set.h"
#include "common/net/transport_address.h"

namespace turnpike::config {

struct Listener {
  Transport transport = Transport::kUdp;
  TransportAddress address;

  friend bool operator==(const Listener&, const Listener&) = default;
};

struct RelayAddressConfig {
  IpAddress bind;
  std::optional<IpAddress> advertise;  // nullopt: as bound, unless advertise_auto
  bool advertise_auto = false;         // `advertise: auto`: the server finds the public address

  friend bool operator==(const RelayAddressConfig&, const RelayAddressConfig&) = default;
};

// TlsVersion is a protocol version that `tls.versions` may name.
enum class TlsVersion : uint8_t { k12, k13 };

// Redirect says when new clients are sent to `alternate_servers`.
enum class Redirect : uint8_t { kDraining, kAlways };

// UdpPathWord is the fastest way of moving datagrams that the server may take.
enum class UdpPathWord : uint8_t { kAuto, kOffload, kBatch, kPlain };

// ApiAccountConfig is an account of the API; hashes are SHA-256 in lower-case hexadecimal digits.
struct ApiAccountConfig {
  std::string sid;
  std::string account;
  std::string name;
  std::vector<std::string> token_hashes;
  std::vector<std::string> key_hashes;
  bool disabled = false;

  friend bool operator==(const ApiAccountConfig&, const ApiAccountConfig&) = default;
};

struct AlternateServerConfig {
  IpAddress address;
  uint16_t port = 3478;
  uint16_t tls_port = 5349;
  std::string domain;  // empty: clients are not told

  friend bool operator==(const AlternateServerConfig&, const AlternateServerConfig&) = default;
};

struct PortRange {
  uint16_t first = 10000;
  uint16_t last = 60000;

  friend bool operator==(const PortRange&, const PortRange&) = default;
};

struct UserConfig {
  std::string username;
  std::string password;
  std::string account;  // empty: the username
  std::string label;

  friend bool operator==(const UserConfig&, const UserConfig&) = default;
};

// Config is everything that a configuration file says, defaults filled in.
struct Config {
  std::string node;  // default: the host name, filled in by Load
  std::string region = "local";
  std::string edge = "local";
  uint32_t workers = 0;  // 0: auto, the CPUs that the process may use
  bool pin_workers = false;
  UdpPathWord udp_path = UdpPathWord::kAuto;
  Duration drain_deadline = std::chrono::minutes(30);

  std::vector<Listener> listen;  // default: udp and tcp on 0.0.0.0 and [::], port 3478

  struct Relay {
    std::vector<RelayAddressConfig> addresses;  // empty: the host's own, found at start
    std::string stun_server;  // `host:port`, asked for `advertise: auto`; empty: nobody is
    PortRange ports;
    struct {
      IpSet allow;
      IpSet deny;
    } peers;
  } relay;

  struct {
    std::vector<IpAddress> addresses;  // none, or two
    std::vector<uint16_t> ports = {3478, 3479};
  } nat_discovery;

  std::vector<AlternateServerConfig> alternate_servers;
  Redirect redirect = Redirect::kDraining;

  bool mobility = false;  // RFC 8016

  struct Auth {
    std::string realm = "turnpike";
    std::vector<std::string> secrets;  // newest first
    std::vector<UserConfig> users;
    Duration nonce_lifetime = std::chrono::hours(1);
    bool strict_expiry = false;  // sessions end with their time-limited credential
  } auth;

  struct Limits {
    Duration default_lifetime = std::chrono::seconds(600);
    Duration max_lifetime = std::chrono::seconds(3600);
    uint32_t permissions_per_allocation = 100;
    uint32_t channels_per_allocation = 100;
    uint32_t peer_connections_per_allocation = 64;  // RFC 6062; 0: no TCP allocations
    // 0: no limit, as with all that follow up to session_packets.
    uint32_t allocations = 0;  // of all clients
    uint32_t allocations_per_username = 0;
    uint32_t allocations_per_account = 0;
    uint32_t allocations_per_address = 0;     // IPv6: of a /64
    uint64_t session_bandwidth = 0;           // bit/s of payload, each direction
    uint64_t account_bandwidth = 0;           // likewise
    uint32_t session_packets = 0;             // datagrams a second, each direction
    uint32_t unauthenticated_answers = 1000;  // per second and source; 0: no limit
    uint32_t allocation_attempts = 1000;      // per second and source; 0: no limit
    uint32_t relay_hops = 4;                  // 0: loops are not looked for
    uint32_t unanswered_bytes = 0;            // 0: no limit
    uint32_t connections = 65536;             // over TCP and TLS, of all clients
    uint32_t connections_per_address = 8192;
    Duration handshake_timeout = std::chrono::seconds(10);
    Duration idle_timeout = std::chrono::seconds(60);
    Duration write_timeout = std::chrono::seconds(30);
    uint32_t write_queue_bytes = 256 << 10;
  } limits;

  struct Tls {
    std::string certificate;  // PEM file with the chain; empty: one is made up at each start
    std::string key;          // PEM file
    std::vector<TlsVersion> versions = {TlsVersion::k12, TlsVersion::k13};
  } tls;

  struct Metering {
    std::string directory = "/var/lib/turnpike";
    Duration checkpoint = std::chrono::seconds(5);
    uint32_t slots = 65536;  // sessions alive or waiting for the ledger, at most
    std::string rates;       // a file of rates, for caps in money; empty: none
    struct Retention {
      Duration sessions = std::chrono::hours(90 * 24);  // from a session's end
      Duration parts = std::chrono::hours(396 * 24);    // 13 months, from a session's end
    } retention;
    struct Backup {
      std::string directory;  // empty: none
      Duration every = std::chrono::hours(24);
    } backup;
  } metering;

  std::vector<Cap> caps;

  struct Admin {
    TransportAddress address{IpAddress::V4({{127, 0, 0, 1}}), 9641};
    uint32_t account_series = 1000;  // accounts shown in metrics; the rest is `_other`
    std::string token;               // authorises the JSON API; empty: it refuses
  } admin;

  struct Api {
    TransportAddress address{IpAddress::V4({{127, 0, 0, 1}}), 0};  // port 0: there is none
    IpSet trusted_proxies{{{IpAddress::V4({{127, 0, 0, 0}}), 8}}};
    uint32_t requests_per_second = 100;  // of an account; 0: no limit
    uint32_t requests_per_second_per_address = 200;
    IpSet webhook_networks;  // beside public addresses
    std::string webhook_authorities = "/etc/ssl/certs/ca-certificates.crt";
    std::vector<ApiAccountConfig> accounts;
    struct Nettest {
      std::string account;       // empty: no credential is given out for tests
      uint32_t per_minute = 60;  // credentials, of all clients together
    } nettest;
  } api;

  struct Fleet {
    std::vector<Edge> edges;  // none: this node alone
    EdgeChoice choice = EdgeChoice::kNearest;
  } fleet;

  struct {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kJson;
  } log;

  struct Hardening {
    bool seccomp = true;
    bool landlock = true;
    bool core_dumps = false;
  } hardening;

  // The files that `${file:PATH}` named: no key, but who keeps the server from reading others must
  // know them.
  std::vector<std::string> secret_files;
};

// Problem is one thing wrong in a configuration file.
struct Problem {
  std::string file;
  int line = 0;      // 1-based; 0 when it concerns the whole file
  std::string key;   // dotted, with indexes: `listen[1].port`; empty: the file's top level
  std::string what;  // what is wrong and what would be right

  // ToString renders `turnpike.yaml:12: listen[1].port: 70000 is not a port; use 1-65535`.
  std::string ToString() const;
};

// Environment answers `${VAR}`: the value, or nullopt when it is not set.
using Environment = std::optional<std::string> (*)(std::string_view name);

// Parse reads YAML text as if it stood in `file`: relative paths in it start at that file's
// directory.
// `${VAR}` is answered by `environment`, `${file:PATH}` by the file's content less trailing
// newlines. It returns every problem that it finds, in the order of lines, not just the first.
// Secrets never appear in a problem's text.
std::expected<Config, std::vector<Problem>> Parse(std::string_view text, const std::string& file,
                                                  Environment environment);

// Load reads and parses the file at `path` with the process's environment, and fills in the host's
// name where `node` is not set.
std::expected<Config, std::vector<Problem>> Load(const std::string& path);

// Defaults returns what an empty file would mean, were it allowed: the server starts only when
// somebody can authenticate.
Config Defaults();

// Reference renders a configuration file with every key at its default, and type, range and meaning
// in comments. `config/turnpike.yaml` is this text.
std::string Reference();

// EnvironmentReference renders a configuration file that takes every key from an environment
// variable (`metering.checkpoint` from TURNPIKE_METERING_CHECKPOINT), with the same comments. The
// container image is configured by it.
std::string EnvironmentReference();

}  // namespace turnpike::config
