"""coturn's turnutils_uclient and turnutils_peer (Debian package coturn) as measuring clients.

What uclient does, from its sources: `-m` clients (without `-c`: half as many pairs of RTP and
RTCP, with EVEN-PORT and a reservation token) each send `-n` messages of `-l` bytes, one every
`-z` ms, and await the echo. Before each client, pair, or two that talk to each other (`-y`) it
makes one more allocation, a probe, and leaves it unused. Connecting takes 100 ms a client, and each
starts at a random moment of the next 6 seconds. `-s` sends Send indications, otherwise ChannelData,
padded to 4 with `-D` or over TCP (`-t`, with TLS `-S`; `-S` alone is DTLS). A client ends with a
Refresh of lifetime 0. `tot_send_bytes` and `tot_recv_bytes` count payload; "lost" is what was sent
and did not come back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness import Context, Failure, Process, Stalled, check_equal, wait_for
from server import Server


@dataclass
class Load:
    """What one uclient is asked to do."""
    username: str
    password: str
    peer_port: int = 0            # 0: client to client
    clients: int = 50
    messages: int = 100
    length: int = 100
    interval_ms: int = 5
    ipv6: bool = False
    send_indications: bool = False
    relay_ipv6: bool | None = None  # the relayed address's family; None: that of the server's
    pairs: bool = False           # RTP and RTCP: EVEN-PORT and reservation tokens
    transport: str = "udp"
    extra: list[str] = field(default_factory=list)

    @property
    def sessions(self) -> int:
        """The sessions that carry traffic."""
        return self.clients

    @property
    def probes(self) -> int:
        """The sessions that carry nothing."""
        if self.peer_port == 0:
            return self.clients // (4 if self.pairs else 2)
        return self.clients // 2 if self.pairs else self.clients


@dataclass
class Tally:
    """What uclient says at its end."""
    sent_messages: int
    received_messages: int
    sent_bytes: int
    received_bytes: int
    lost: int
    dropped: int


class Uclient:
    """A running uclient."""

    def __init__(self, ctx: Context, server: Server, load: Load, name: str):
        self.load = load
        self.process: Process = ctx.spawn(_command(server, load), name)

    def tally(self, seconds: float = 120) -> Tally:
        """Waits for the end and reads the last figures."""
        status = self.process.wait(seconds)
        output = self.process.stdout() + self.process.stderr()
        # Each client binds two channels of random numbers to two peers: one client in 16,384 draws
        # the same number twice, to which RFC 8656 §12.2 wants a 400.
        if status != 0 and "channel bind: error 400" in output:
            raise Stalled(f"{self.process.name} has drawn one channel number for two peers")
        check_equal(status, 0, f"{self.process.name}: exit status; {output[-1500:]}")
        return parse(output)

    def exact(self, seconds: float = 120) -> Tally:
        """As `tally`, and fails on any loss: every client got back all that it sent."""
        tally = self.tally(seconds)
        want = self.load.sessions * self.load.messages
        name = self.process.name
        check_equal(tally.sent_messages, want, f"{name}: messages sent")
        check_equal(tally.received_messages, want, f"{name}: messages received")
        check_equal(tally.sent_bytes, want * self.load.length, f"{name}: bytes sent")
        check_equal(tally.received_bytes, want * self.load.length, f"{name}: bytes received")
        check_equal((tally.lost, tally.dropped), (0, 0), f"{name}: lost and dropped")
        return tally


_TRANSPORT_OPTIONS = {"udp": [], "tcp": ["-t"], "tls": ["-t", "-S"], "dtls": ["-S"]}


def _command(server: Server, load: Load) -> list[str]:
    relay_ipv6 = load.ipv6 if load.relay_ipv6 is None else load.relay_ipv6
    server_address, peer = ("::1" if v6 else "127.0.0.1" for v6 in (load.ipv6, relay_ipv6))
    port = server.listener_port(load.transport, load.ipv6)
    argv = ["turnutils_uclient", "-u", load.username, "-w", load.password,
            "-p", str(port), "-m", str(load.clients), "-n", str(load.messages),
            "-l", str(load.length), "-z", str(load.interval_ms), "-x" if relay_ipv6 else "-X"]
    if load.peer_port:
        argv += ["-e", peer, "-r", str(load.peer_port)]
    else:
        argv.append("-y")
    if not load.pairs:
        argv.append("-c")
    if load.send_indications:
        argv.append("-s")
    return [*argv, *_TRANSPORT_OPTIONS[load.transport], *load.extra, server_address]


def parse(output: str) -> Tally:
    """Reads the figures that uclient prints at its end; those on the way carry `msz=`."""
    messages = re.search(r"start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", output)
    volume = re.search(r"start_mclient: tot_send_bytes ~ (\d+), tot_recv_bytes ~ (\d+)", output)
    loss = re.search(r"Total lost packets (-?\d+) .*total send dropped (\d+)", output)
    if not messages or not volume or not loss:
        raise Failure(f"uclient did not come to its end: {output[-1500:]}")
    return Tally(int(messages[1]), int(messages[2]), int(volume[1]), int(volume[2]),
                 int(loss[1]), int(loss[2]))


def start_turnutils_peer(ctx: Context, port: int) -> Process:
    """Starts coturn's echo peer on `port` and the next one, both loopback addresses."""
    process = ctx.spawn(["turnutils_peer", "-L", "127.0.0.1", "-L", "::1", "-p", str(port)],
                        "turnutils_peer")
    wait_for(lambda: _bound(port), 10, "turnutils_peer to listen")
    return process


def _bound(port: int) -> bool:
    """Whether a UDP socket of both families has `port` (the kernel's tables say so)."""
    mark = f":{port:04X} "
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with open(table, encoding="ascii") as lines:
            if not any(mark in line.split("rem")[0][:60] for line in lines):
                return False
    return True
