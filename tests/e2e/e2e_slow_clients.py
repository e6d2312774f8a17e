"""Half-open TLS handshakes and clients that never read, beside calls that lose nothing.

What one of them may cost is what deploy/RUNBOOK.md promises. Each crowd is gone by its deadline, and
the server has its descriptors and its memory back then. tools/test runs a tenth of the full size, which
is 10,000 handshakes and 1,000 readers: TURNPIKE_E2E_SCALE=10 tests/e2e/run build/release slow_clients
"""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import prometheus
from e2e_streams import certificate
from harness import Context, Failure, check, wait_for
from honest import Honest, listen_as_load_expects, packets_sent
from server import Server
from stream_client import StreamClient
from traffic import CHANNEL

HALF_OPEN = 1_000
SLOW = 100
HONEST = 40
TIMEOUT = "5s"  # in which the whole of a crowd must be there, since it is measured as a whole

# The promises.
SILENT_BYTES = 2 << 10
HANDSHAKE_BYTES = 44 << 10
WRITE_QUEUE = 131_072
SLOW_BYTES = 4 * WRITE_QUEUE
KERNEL_BYTES = 512 << 10  # the server's kernel and the client's own
SLACK_BYTES = 1 << 20  # tables that grow by leaps, pages
KEPT_BYTES = 32 << 20  # after all of them have gone; less than so much need not be given back

DATAGRAM = bytes(1200)
ROUND = 16  # datagrams to each, which its relay's socket has room for

# A TLS record that promises 512 bytes and holds the first of a ClientHello (RFC 8446 §4.1.2).
HALF_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(32)
# As much as a server can be made to keep of a ClientHello: all but the last bytes of the largest,
# in a whole record and most of another.
LARGEST_HELLO = (bytes.fromhex("1603014000" "01003ffe0303") + bytes(0x4000 - 6)
                 + bytes.fromhex("1603014000") + bytes(0x3FF0))


@dataclass
class Usage:
    """What the server's process has at a moment."""
    resident: int
    descriptors: int


def run(ctx: Context) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ctx.on_cleanup(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    server = Server(ctx, workers=2, tls=certificate(ctx), metering={"checkpoint": "500ms"},
                    limits={"handshake_timeout": TIMEOUT, "write_timeout": TIMEOUT,
                            "write_queue_bytes": WRITE_QUEUE})
    listen_as_load_expects(server)
    fresh = usage_of(server.start())
    honest = Honest(ctx, server, HONEST, 1000)
    before = usage_of(server)
    readers = slow_readers(ctx, server)
    crowd = half_open(ctx, server)
    # Neither has ended before the other was there.
    for reason, clients in (("write_stalled", readers), ("no_message", crowd)):
        wait_for(lambda: counted(server, "turn_connections_closed_total",
                                 reason=reason) == len(clients),
                 40, f"their deadline to end {len(clients)} connections as {reason}")
        for client in clients:
            client.close()
    result = honest.finish()
    wait_for(lambda: counted(server, "turn_connections") == 0, 20, "every connection to be gone")
    # The supervisor looks every two seconds whether there is memory to give back.
    wait_for(lambda: ctx.scale < 1 or usage_of(server).resident <= before.resident + KEPT_BYTES, 10,
             f"the memory of before, {before}, to be given back")
    after = usage_of(server)
    # A scrape that was just answered may be on its way out.
    check(after.descriptors <= fresh.descriptors + 2, f"descriptors: {fresh} became {after}")
    print(f"      resident {before.resident >> 10} KiB before, {after.resident >> 10} KiB after; "
          f"{packets_sent(result)} honest packets, none lost", flush=True)
    server.stop()


def half_open(ctx: Context, server: Server) -> list[socket.socket]:
    """A third of them say nothing, a third begins a handshake, a third nearly ends its ClientHello."""
    count = ctx.scaled(HALF_OPEN, least=300) // 3
    crowd: list[socket.socket] = []
    for name, hello, most in (("silent connections", b"", SILENT_BYTES),
                              ("half ClientHellos", HALF_HELLO, HANDSHAKE_BYTES),
                              ("largest ClientHellos", LARGEST_HELLO, HANDSHAKE_BYTES)):
        with measured(ctx, server, name, count, most):
            accepted = usage_of(server).descriptors + count
            for number in range(count):
                crowd.append(begin(server, f"127.0.1.{number % 200 + 1}", hello))
            wait_for(lambda: usage_of(server).descriptors >= accepted, 20, name)
    return crowd


def begin(server: Server, source: str, hello: bytes) -> socket.socket:
    """A connection from an address of its crowd: one address alone may not have so many."""
    client = socket.socket()
    client.bind((source, 0))
    client.connect(("127.0.0.1", server.listener_port("tls")))
    client.sendall(hello)
    return client


def slow_readers(ctx: Context, server: Server) -> list[socket.socket]:
    """Clients over TCP and TLS whose peers send until every queue is full."""
    count = ctx.scaled(SLOW, least=20)
    flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.bind(("127.0.0.1", 0))
    clients = []
    for number in range(count):
        tls = number % 2 == 1
        client = StreamClient(("127.0.0.1", server.listener_port("tls" if tls else "tcp")),
                              b"bob", b"hunter2", tls=tls, receive_buffer=4096)
        client.allocate()
        client.bind(CHANNEL, flood.getsockname())
        clients.append(client)
    with flood, measured(ctx, server, "slow readers", count, SLOW_BYTES):
        fill(server, flood, clients)
    return [client.socket for client in clients]


def fill(server: Server, flood: socket.socket, clients: list[StreamClient]) -> None:
    """Sends until nearly all of a round is dropped: every client's queue is full then, and the kernel
    holds what it may."""
    def dropped() -> int:
        return counted(server, "turn_relay_dropped_packets_total", reason="queue_full")
    deadline = time.monotonic() + 60
    before = dropped()
    sent = 0
    while time.monotonic() < deadline:
        for client in clients:
            for _ in range(ROUND):
                flood.sendto(DATAGRAM, client.relayed)
        sent += ROUND * len(DATAGRAM)
        before, last = dropped(), before
        if before - last >= 0.9 * ROUND * len(clients):
            check(sent <= WRITE_QUEUE + KERNEL_BYTES, f"a client that does not read took {sent} bytes")
            return
    raise Failure("the slow readers' queues never filled")


@contextmanager
def measured(ctx: Context, server: Server, name: str, count: int, most_each: int) -> Iterator[None]:
    """What comes in the time of a `with` costs at most so many bytes each."""
    before = usage_of(server).resident
    began = time.monotonic()
    yield
    grown = usage_of(server).resident - before
    # A sanitizer's memory is not the server's.
    check(ctx.scale < 1 or grown <= count * most_each + SLACK_BYTES,
          f"{count} {name} cost {grown} bytes, {grown // count} each")
    print(f"      {count} {name}: {grown // count} bytes each, there after "
          f"{time.monotonic() - began:.1f} s", flush=True)


def usage_of(server: Server) -> Usage:
    process = Path(f"/proc/{server.launched().pid}")
    status = (process / "status").read_text().splitlines()
    resident = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))
    return Usage(resident, len(list((process / "fd").iterdir())))


def counted(server: Server, name: str, **labels: str) -> int:
    return prometheus.total(prometheus.scrape(server), name, **labels)
