#include "config/keys.h"

#include <algorithm>

#include "config/formats.h"
#include "config/key_rows.h"

namespace turnpike::config {
namespace {

// MEMBER names a member of Config in a way that a template can carry.
// NOLINTNEXTLINE(bugprone-macro-parentheses): a name in brackets is none
#define MEMBER(path) [](auto& config) -> auto& { return config.path; }

constexpr Key kKeys[] = {
    Restart(Value<Text<0, 64>, MEMBER(node)>(
        "node", "This node's name, unique in the fleet. It stands in every session record.",
        "the host name")),
    Restart(Value<Text<1, 64>, MEMBER(region)>(
        "region",
        "Where the node is, as rate cards and reports name it. Usage is billed by region.")),
    Restart(Value<Text<1, 64>, MEMBER(edge)>("edge",
                                             "The site within the region, for session records.")),
    Restart(Value<Workers, MEMBER(workers)>(
        "workers", "Threads that relay; auto means the CPUs that the process may use.")),
    Restart(Value<YesNo, MEMBER(pin_workers)>("pin_workers",
                                              "Whether each of them stays on a CPU of its own. For "
                                              "a host that the relay has for itself.")),
    Restart(Value<Word<UdpPathWord>, MEMBER(udp_path)>(
        "udp_path",
        "How datagrams move: one a system call (plain), many (batch), or besides in runs by UDP "
        "GSO "
        "and GRO (offload). auto is the fastest that the kernel has.")),
    Value<Span<0, 86'400'000>, MEMBER(drain_deadline)>(
        "drain_deadline",
        "How long a stopping server waits for calls in progress. Whoever stops it must wait "
        "longer: "
        "terminationGracePeriodSeconds, stop_grace_period."),

    Restart(Entries<MEMBER(listen), PrintListener, NameListener>(
        "listen", "Where clients reach the server.",
        "[{transport: udp, address: 0.0.0.0, port: 3478}]")),
    Value<Word<Transport>, MEMBER(listen.back().transport)>(
        "listen[].transport",
        "What lies between client and server. On one port there may be tcp and tls, and udp and "
        "dtls.",
        "udp"),
    Value<Address, MEMBER(listen.back().address.ip)>(
        "listen[].address", "The address to bind; 0.0.0.0 or :: for all of the host's.", "0.0.0.0"),
    Value<Port, MEMBER(listen.back().address.port)>("listen[].port", "The port to bind.",
                                                    "3478, for tls and dtls 5349"),

    Section("relay", "The addresses and ports that clients are given to be reached at."),
    Restart(Entries<MEMBER(relay.addresses), kPrintNothing, NameRelayAddress>(
        "relay.addresses", "The host's addresses that relay; none: the host's own, found at start.",
        "[{bind: 10.0.0.5, advertise: 203.0.113.7}]")),
    Value<Address, MEMBER(relay.addresses.back().bind)>(
        "relay.addresses[].bind", "An address of this host.", "", Presence::kRequired),
    AdvertiseKey(
        "relay.addresses[].advertise",
        "The address that clients and peers see, where a NAT stands in between; auto finds it.",
        "as bound"),
    Restart(Value<Text<0, 260>, MEMBER(relay.stun_server)>(
        "relay.stun_server",
        "HOST:PORT of a STUN server that tells the address for `advertise: auto`. Without one, "
        "auto takes the bound address, which must be public.")),
    Restart(Value<Ports, MEMBER(relay.ports)>(
        "relay.ports",
        "Relay ports, on each address. Firewalls must let UDP through to all of them.")),
    Section(
        "relay.peers",
        "Peers that may be reached, beside the rule that denies private and special addresses."),
    List<Range, MEMBER(relay.peers.allow)>(
        "relay.peers.allow", "Ranges to allow although the built-in rule denies them.",
        "[10.1.0.0/16]"),
    List<Range, MEMBER(relay.peers.deny)>("relay.peers.deny",
                                          "Ranges to deny although the built-in rule allows them.",
                                          "[198.41.0.0/24]"),

    Section("nat_discovery", "Lets clients find out how their NAT behaves (RFC 5780), over UDP."),
    Restart(List<Address, MEMBER(nat_discovery.addresses)>(
        "nat_discovery.addresses",
        "Two addresses of this host, of one family; none: off. Behind a 1:1 NAT clients are told "
        "what relay.addresses says they are seen as.",
        "[192.0.2.1, 192.0.2.2]")),
    Restart(List<Port, MEMBER(nat_discovery.ports)>(
        "nat_discovery.ports", "Two ports; both are opened on both addresses.", "[3478, 3479]")),

    Entries<MEMBER(alternate_servers), kPrintNothing, NameAlternate>(
        "alternate_servers", "Servers that new clients can be sent to (300, Try Alternate).",
        "[{address: 203.0.113.9, domain: relay-2.example}]"),
    Value<Address, MEMBER(alternate_servers.back().address)>(
        "alternate_servers[].address",
        "Its address; only clients of the same family are sent there.", "", Presence::kRequired),
    Value<Port, MEMBER(alternate_servers.back().port)>("alternate_servers[].port",
                                                       "Its port for udp and tcp.", "3478"),
    Value<Port, MEMBER(alternate_servers.back().tls_port)>("alternate_servers[].tls_port",
                                                           "Its port for tls and dtls.", "5349"),
    Value<Text<1, 255>, MEMBER(alternate_servers.back().domain)>(
        "alternate_servers[].domain", "The name in its certificate.", "clients are not told"),
    Value<Word<Redirect>, MEMBER(redirect)>(
        "redirect", "When new clients are sent to alternate_servers; calls in progress stay."),
    Value<YesNo, MEMBER(mobility)>("mobility",
                                   "Whether clients that ask for it take their allocation along to "
                                   "another network (RFC 8016)."),

    Section("auth", "Who may allocate. At least one secret or user is needed."),
    Restart(Value<Text<1, 127>, MEMBER(auth.realm)>(
        "auth.realm", "The realm of every username; clients lose their calls when it changes.")),
    List<Secret, MEMBER(auth.secrets)>(
        "auth.secrets",
        "Shared secrets of time-limited credentials, newest first. `turnpike token` mints those.",
        "[\"${file:/run/secrets/turn}\"]"),
    Entries<MEMBER(auth.users), kPrintNothing, NameUser>(
        "auth.users", "Users with a lasting password.",
        "[{username: alice, password: \"${ALICE_PASSWORD}\", account: acme, label: web}]"),
    Value<Text<1, 508>, MEMBER(auth.users.back().username)>(
        "auth.users[].username", "The name that authenticates.", "", Presence::kRequired),
    Value<Secret, MEMBER(auth.users.back().password)>("auth.users[].password", "The password.", "",
                                                      Presence::kRequired),
    Value<Text<1, 128>, MEMBER(auth.users.back().account)>(
        "auth.users[].account", "The account that pays.", "the username"),
    Value<Text<0, 128>, MEMBER(auth.users.back().label)>(
        "auth.users[].label", "Tells one use of the account from another in reports.", "none"),
    Value<Span<1'000, 3'600'000>, MEMBER(auth.nonce_lifetime)>(
        "auth.nonce_lifetime", "How long a nonce is good (RFC 8489 allows at most an hour)."),
    Value<YesNo, MEMBER(auth.strict_expiry)>(
        "auth.strict_expiry",
        "Whether a session ends when its time-limited credential expires; else it may go on."),

    Section("limits", "What clients may ask for, and how much they may move."),
    Value<Span<1'000, 86'400'000>, MEMBER(limits.default_lifetime)>(
        "limits.default_lifetime", "Lifetime of an allocation whose client asks for none or less."),
    Value<Span<1'000, 86'400'000>, MEMBER(limits.max_lifetime)>(
        "limits.max_lifetime", "Longest lifetime that is granted (RFC 8656 recommends an hour)."),
    Value<Whole<1, 100'000>, MEMBER(limits.permissions_per_allocation)>(
        "limits.permissions_per_allocation", "Peer addresses that one allocation may talk to."),
    Value<Whole<1, 4'096>, MEMBER(limits.channels_per_allocation)>(
        "limits.channels_per_allocation", "Channels that one allocation may bind."),
    Value<Whole<0, 4'096>, MEMBER(limits.peer_connections_per_allocation)>(
        "limits.peer_connections_per_allocation",
        "TCP connections with peers that one allocation may hold (RFC 6062); 0: none are relayed."),
    Value<Whole<0, 4'194'304>, MEMBER(limits.allocations)>(
        "limits.allocations",
        "Allocations of all clients together, more get 508; 0: as relay.ports and metering.slots "
        "allow."),
    Value<Whole<0, 1'000'000>, MEMBER(limits.allocations_per_username)>(
        "limits.allocations_per_username",
        "Allocations that one username may hold, more get 486; 0: no limit."),
    Value<Whole<0, 1'000'000>, MEMBER(limits.allocations_per_account)>(
        "limits.allocations_per_account", "The same for all usernames of an account."),
    Value<Whole<0, 1'000'000>, MEMBER(limits.allocations_per_address)>(
        "limits.allocations_per_address",
        "The same for a client's IPv4 address or IPv6 /64. Many users can share one."),
    Value<Bandwidth, MEMBER(limits.session_bandwidth)>(
        "limits.session_bandwidth",
        "Application payload that a session may move in each direction. What a second brings may "
        "come at once. Datagrams beyond it are dropped, TCP data connections (RFC 6062) slowed "
        "down; nobody pays for what was not relayed."),
    Value<Bandwidth, MEMBER(limits.account_bandwidth)>(
        "limits.account_bandwidth", "The same for all sessions of an account on this server."),
    Value<Whole<0, 10'000'000>, MEMBER(limits.session_packets)>(
        "limits.session_packets",
        "Datagrams a second that a session may move in each direction; 0: no limit."),
    Value<Whole<0, 1'000'000>, MEMBER(limits.unauthenticated_answers)>(
        "limits.unauthenticated_answers",
        "Answers per second and worker to one IPv4 address or IPv6 /64 that has not proven who it "
        "is; 0: no limit. Many users can share one."),
    Value<Whole<0, 1'000'000>, MEMBER(limits.allocation_attempts)>(
        "limits.allocation_attempts",
        "Allocate requests with credentials, per second and worker, from one such source; 0: no "
        "limit."),
    Value<Whole<0, 64>, MEMBER(limits.relay_hops)>(
        "limits.relay_hops",
        "A datagram that came through so many relays goes round in a loop and is dropped; 0: such "
        "are not looked for."),
    Value<Whole<0, 4'000'000'000>, MEMBER(limits.unanswered_bytes)>(
        "limits.unanswered_bytes",
        "What peers may send to a client that has been silent since, so that one which is gone is "
        "not billed for long; 0: no limit."),
    Value<Whole<1, 4'000'000>, MEMBER(limits.connections)>(
        "limits.connections",
        "Connections over TCP and TLS, and DTLS sessions; beyond it new ones are refused."),
    Value<Whole<0, 4'000'000>, MEMBER(limits.connections_per_address)>(
        "limits.connections_per_address",
        "Of these, from one IPv4 address or IPv6 /64; 0: no limit. Many users can share one."),
    Value<Span<100, 600'000>, MEMBER(limits.handshake_timeout)>(
        "limits.handshake_timeout",
        "How long a new connection has for its first whole message, handshake included."),
    Value<Span<100, 86'400'000>, MEMBER(limits.idle_timeout)>(
        "limits.idle_timeout", "How long a connection without an allocation may be silent."),
    Value<Span<100, 600'000>, MEMBER(limits.write_timeout)>(
        "limits.write_timeout", "How long a connection may leave unread what waits for it."),
    Value<Whole<131'072, 67'108'864>, MEMBER(limits.write_queue_bytes)>(
        "limits.write_queue_bytes",
        "What may wait for one connection's slow reader; beyond it data from peers is dropped."),

    Section("tls", "The certificate of tls and dtls listeners."),
    Value<Path, MEMBER(tls.certificate)>(
        "tls.certificate",
        "PEM file with the whole chain. Without one, each start makes a self-signed one."),
    Value<Path, MEMBER(tls.key)>("tls.key", "PEM file with the private key."),
    List<Word<TlsVersion>, MEMBER(tls.versions)>(
        "tls.versions", "Versions of TLS that are offered; DTLS is always 1.2.", "[1.2]"),

    Section("metering", "The ledger of what was relayed."),
    Restart(Value<Path, MEMBER(metering.directory)>(
        "metering.directory", "Holds usage.db and live.slots; one server per directory.")),
    Restart(Value<Span<100, 900'000>, MEMBER(metering.checkpoint)>(
        "metering.checkpoint", "How often counters go to the ledger: what a power cut can lose.")),
    Restart(Value<Whole<1'024, 4'194'304>, MEMBER(metering.slots)>(
        "metering.slots", "Sessions alive or waiting for the ledger, at most.")),

    Value<Path, MEMBER(metering.rates)>(
        "metering.rates", "A file of rates (config/rates.yaml explains it), for caps in money.",
        "none"),

    Section("metering.retention", "How long the ledger keeps what only people need."),
    Restart(Value<Span<604'800'000, 315'360'000'000>, MEMBER(metering.retention.sessions)>(
        "metering.retention.sessions",
        "From a session's end: then its username, addresses and drops are erased; usage stays.")),
    Restart(Value<Span<5'184'000'000, 3'153'600'000'000>, MEMBER(metering.retention.parts)>(
        "metering.retention.parts",
        "From a session's end: then it is forgotten, with its usage by 15 minutes (13 months). "
        "Lines of invoices can be explained as long; sums of accounts and edges stay for ever.")),

    Section("metering.backup", "Copies of the ledger, made while it is in use."),
    Restart(Value<Path, MEMBER(metering.backup.directory)>(
        "metering.backup.directory",
        "Where usage.db and billing.db are copied to: on another disk, and an existing directory. "
        "A copy takes the place of the one before once it is whole.",
        "none")),
    Restart(Value<Span<60'000, 31'536'000'000>, MEMBER(metering.backup.every)>(
        "metering.backup.every",
        "From the end of one copy to the start of the next; the first is "
        "made at the start.")),

    Entries<MEMBER(caps), kPrintNothing, NameCap>(
        "caps",
        "How much accounts may relay in a day or a month (UTC). Caps are looked at after each "
        "checkpoint: what is relayed until then is counted and billed.",
        "[{account: acme, period: month, bytes: 500 GB, action: refuse}]"),
    Value<Text<1, 128>, MEMBER(caps.back().account)>(
        "caps[].account", "The account; \"*\" is each account by itself.", "", Presence::kRequired),
    Value<Maybe<Text<0, 128>>, MEMBER(caps.back().label)>(
        "caps[].label", "Only this label of the account.", "all labels together"),
    Value<Word<CapPeriod>, MEMBER(caps.back().period)>("caps[].period", "What the cap is for.",
                                                       "month"),
    Value<Maybe<Bytes>, MEMBER(caps.back().bytes)>(
        "caps[].bytes", "Billable bytes, both directions. Either this or money.", "no such cap"),
    Value<Maybe<Money>, MEMBER(caps.back().money)>(
        "caps[].money", "What the usage costs by metering.rates.", "no such cap"),
    List<Whole<1, 1'000>, MEMBER(caps.back().warn_at)>(
        "caps[].warn_at", "Percentages that get a log line (cap_near, cap_reached).",
        "[80, 95, 100]"),
    Value<Word<CapAction>, MEMBER(caps.back().action)>(
        "caps[].action",
        "At 100 %: warn logs, refuse answers new allocations with 486, end also ends live "
        "sessions.",
        "warn"),

    Section("admin",
            "Metrics, health and the JSON API over HTTP. There is no TLS: keep it inside."),
    Restart(Value<Address, MEMBER(admin.address.ip)>("admin.address", "The address to bind.")),
    Restart(Value<Port, MEMBER(admin.address.port)>("admin.port", "The port to bind.")),
    Restart(Value<Whole<0, 1'000'000>, MEMBER(admin.account_series)>(
        "admin.account_series", "Accounts shown in metrics; the rest is counted as _other.")),
    Value<OptionalSecret, MEMBER(admin.token)>(
        "admin.token",
        "Whoever shows this token (`Authorization: Bearer …`) may use the JSON API: see and end "
        "sessions, revoke, drain, reload. Without one the API refuses.",
        "none"),

    Section("api",
            "What account holders use over HTTP: tokens, usage, the network test. There is no TLS: "
            "put a proxy in front of it."),
    Restart(Value<Address, MEMBER(api.address.ip)>("api.address", "The address to bind.")),
    Restart(Value<PortOrOff, MEMBER(api.address.port)>("api.port", "The port to bind.")),
    List<Range, MEMBER(api.trusted_proxies)>(
        "api.trusted_proxies",
        "Whose X-Forwarded-For names the client that limits per address are for.", "[10.0.0.0/24]"),
    Value<Whole<0, 1'000'000>, MEMBER(api.requests_per_second)>(
        "api.requests_per_second", "Of one account; beyond it requests get 429. 0: no limit."),
    Value<Whole<0, 1'000'000>, MEMBER(api.requests_per_second_per_address)>(
        "api.requests_per_second_per_address",
        "Of one IPv4 address or IPv6 /64; beyond it requests get 429. 0: no limit."),
    List<Range, MEMBER(api.webhook_networks)>(
        "api.webhook_networks",
        "Private networks that usage triggers may call; public addresses they may always.",
        "[10.0.0.0/24]"),
    Value<Path, MEMBER(api.webhook_authorities)>(
        "api.webhook_authorities",
        "PEM file of the certificate authorities that usage triggers trust at https:// URLs."),
    Entries<MEMBER(api.accounts), kPrintNothing, NameApiAccount>(
        "api.accounts",
        "Accounts beside those of `turnpike account`, which also makes SIDs and secrets. A secret "
        "is 32 random hexadecimal digits; its hash is `printf %s SECRET | sha256sum`.",
        "[{sid: AC0123456789abcdef0123456789abcdef, account: acme, token_hashes: [e3b0c442…]}]"),
    Value<Sid, MEMBER(api.accounts.back().sid)>("api.accounts[].sid", "Its name in the API.", "",
                                                Presence::kRequired),
    Value<Text<1, 128>, MEMBER(api.accounts.back().account)>(
        "api.accounts[].account", "The account that pays.", "", Presence::kRequired),
    Value<Text<0, 128>, MEMBER(api.accounts.back().name)>("api.accounts[].name", "For people.",
                                                          "none"),
    List<SecretHash, MEMBER(api.accounts.back().token_hashes)>(
        "api.accounts[].token_hashes", "Of its auth tokens; several while one is rotated.",
        "[\"${ACME_TOKEN_SHA256}\"]"),
    List<SecretHash, MEMBER(api.accounts.back().key_hashes)>(
        "api.accounts[].key_hashes", "Of its API keys, which mint credentials by GET /turn.",
        "[\"${ACME_KEY_SHA256}\"]"),
    Value<YesNo, MEMBER(api.accounts.back().disabled)>("api.accounts[].disabled",
                                                       "Whether it is refused.", "false"),
    Section("api.nettest", "The page /nettest, on which anybody can test the way to the edges."),
    Value<Text<0, 128>, MEMBER(api.nettest.account)>(
        "api.nettest.account",
        "The account that pays for tests: the page gets credentials of ten minutes on it, with the "
        "label nettest, so that `caps` can bound what they cost. Without one the page asks for a "
        "username and a password.",
        "none"),
    Value<Whole<1, 100'000>, MEMBER(api.nettest.per_minute)>(
        "api.nettest.per_minute", "Credentials for tests in a minute, of all clients together."),

    Section("fleet", "The sites that clients can be sent to."),
    Entries<MEMBER(fleet.edges), kPrintNothing, NameEdge>(
        "fleet.edges", "All edges; none: this node alone, by the addresses that it names above.",
        "[{name: ashburn, region: us1, hosts: [turn-us1.example.com], addresses: [203.0.113.7], "
        "tls: [5349]}]"),
    Value<DnsLabel, MEMBER(fleet.edges.back().name)>("fleet.edges[].name", "Its name.", "",
                                                     Presence::kRequired),
    Value<Text<1, 64>, MEMBER(fleet.edges.back().region)>(
        "fleet.edges[].region", "Its region, as rate cards and reports name it.", "",
        Presence::kRequired),
    List<HostName, MEMBER(fleet.edges.back().hosts)>(
        "fleet.edges[].hosts", "The names in URIs; without them the addresses stand there.",
        "[turn-us1.example.com]"),
    List<Address, MEMBER(fleet.edges.back().addresses)>(
        "fleet.edges[].addresses", "What the names resolve to.", "[203.0.113.7, 2001:db8::7]"),
    List<Port, MEMBER(fleet.edges.back().udp)>("fleet.edges[].udp", "Ports; [3478] if left out.",
                                               "[3478]"),
    List<Port, MEMBER(fleet.edges.back().tcp)>("fleet.edges[].tcp", "Ports; [3478] if left out.",
                                               "[3478, 443]"),
    List<Port, MEMBER(fleet.edges.back().tls)>("fleet.edges[].tls", "Ports; none if left out.",
                                               "[5349]"),
    List<Port, MEMBER(fleet.edges.back().dtls)>("fleet.edges[].dtls", "Ports; none if left out.",
                                                "[5349]"),
    List<Range, MEMBER(fleet.edges.back().clients)>(
        "fleet.edges[].clients", "Networks of clients whose nearest edge this is.",
        "[198.51.100.0/24]"),
    Value<Word<EdgeChoice>, MEMBER(fleet.choice)>(
        "fleet.choice",
        "Which edges a token names when its request names none: the nearest by `clients` (all "
        "where "
        "none is known to be), or all, for the client to probe."),

    Section("log", "Events on standard output."),
    Value<Word<LogLevel>, MEMBER(log.level)>("log.level", "The least important level to write."),
    Value<Word<LogFormat>, MEMBER(log.format)>("log.format", "JSON lines, or text to read."),

    Section("hardening",
            "What the server denies itself once its ports are open. All of it needs no "
            "root; what the kernel does not have is left out, and the log says so."),
    Restart(Value<YesNo, MEMBER(hardening.seccomp)>(
        "hardening.seccomp",
        "Whether system calls that no relay needs end the process (running programs, tracing, "
        "mounting) or fail.")),
    Restart(Value<YesNo, MEMBER(hardening.landlock)>(
        "hardening.landlock",
        "Whether only metering.directory can be written, and only the directories of files that "
        "this configuration names can be read.")),
    Restart(Value<YesNo, MEMBER(hardening.core_dumps)>(
        "hardening.core_dumps",
        "Whether a crash may leave a core file. Keys and what is relayed would stand in it.")),
};
#undef MEMBER

}  // namespace

std::span<const Key> Keys() { return kKeys; }

const Key* FindKey(std::string_view name) {
  const auto* const found = std::ranges::find(kKeys, name, &Key::name);
  return found == std::end(kKeys) ? nullptr : found;
}

std::string_view KeyParent(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string_view KeyLeaf(std::string_view name) { return name.substr(name.rfind('.') + 1); }

}  // namespace turnpike::config
