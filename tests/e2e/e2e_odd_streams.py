"""Clients over TCP and TLS that send byte by byte, send much at once, or never read."""

from __future__ import annotations

import socket
from pathlib import Path

import prometheus
import stun
import usage
from e2e_protocol import wait_for_session
from e2e_streams import certificate, listeners
from echo_peer import EchoPeer, format_address
from harness import Context, Failure, check, check_equal, wait_for
from server import Server
from stream_client import OneByOne, StreamClient

CHANNEL = 0x4000
FLOOD_BYTES = 32 << 20
FLOOD_PAYLOAD = 1200
# What a client that never reads may cost: its write queue, and what the allocator rounds up to.
MEMORY_BYTES = 4 << 20


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, tls=certificate(ctx), listen=listeners(),
                    limits={"write_timeout": "3s", "write_queue_bytes": 131072}).start()
    for transport in ("tcp", "tls"):
        address = ("127.0.0.1", server.listener_port(transport))
        byte_by_byte(ctx, server, address, transport == "tls", ("127.0.0.1", peer.port))
        many_at_once(address, transport == "tls", ("127.0.0.1", peer.port))
        never_reading(ctx, server, address, transport == "tls")
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_connections") == 0, 20,
             "all connections to be gone")
    server.stop()
    usage.check_integrity(server.state / "usage.db")


def byte_by_byte(ctx: Context, server: Server, address: stun.Address, tls: bool,
                 peer: stun.Address) -> None:
    """A whole call, every byte in a segment (or record) of its own; billed as any other."""
    with StreamClient(address, b"alice", b"s3cret", tls) as client:
        client.socket = OneByOne(client.socket)
        check_equal(client.binding(), client.address, "the mapped address")
        client.allocate()
        client.bind(CHANNEL, peer)
        for length in (0, 1, 5, 160):
            payload = bytes([length]) * length
            client.send_on_channel(CHANNEL, payload)
            check_equal(client.receive(5), (CHANNEL, payload), f"the echo of {length} bytes")
        relayed = format_address(client.relayed)
        client.release()
    session = wait_for_session(ctx, server, relayed)
    check_equal((session["client_to_peer_bytes"], session["peer_to_client_bytes"]), (166, 166),
                "what a call byte by byte is billed")


def many_at_once(address: stun.Address, tls: bool, peer: stun.Address) -> None:
    """Requests and data in one write: each is answered or forwarded once, data in order."""
    count = 40
    with StreamClient(address, b"alice", b"s3cret", tls) as client:
        client.allocate()
        client.bind(CHANNEL, peer)
        wire, transactions = b"", []
        for i in range(count):
            request = stun.Message(stun.BINDING, stun.REQUEST)
            transactions.append(request.transaction)
            payload = b"%05d" % i
            wire += request.encode() + CHANNEL.to_bytes(2, "big") + b"\0\5" + payload + bytes(3)
        client.socket.sendall(wire)
        answers, echoes = [], []
        for _ in range(2 * count):
            message = client.receive_raw(10)
            if message is None:
                raise Failure(f"{len(answers)} answers and {len(echoes)} echoes of {count} each")
            if message[0] >= 0x40:
                echoes.append(message[4:])
            else:
                answers.append(message[8:20])
        check_equal(answers, transactions, "transactions answered")
        check_equal(echoes, [b"%05d" % i for i in range(count)], "payloads echoed")
        client.release()


def never_reading(ctx: Context, server: Server, address: stun.Address, tls: bool) -> None:
    """Memory stays bounded, drops are counted, the connection ends; what is billed is what the
    client can still read, to the byte."""
    before = {name: value(server, *name) for name in ((DROPPED, "queue_full"),
                                                      (CLOSED, "write_stalled"))}
    memory = resident_bytes(server)
    with (StreamClient(address, b"alice", b"s3cret", tls, receive_buffer=8192) as client,
          socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer):
        peer.bind(("127.0.0.1", 0))
        client.allocate()
        client.bind(CHANNEL, peer.getsockname())
        for _ in range(FLOOD_BYTES // FLOOD_PAYLOAD):
            peer.sendto(bytes(FLOOD_PAYLOAD), client.relayed)
        wait_for(lambda: value(server, CLOSED, "write_stalled") > before[CLOSED, "write_stalled"],
                 20, "the connection to end as write_stalled")
        grown = resident_bytes(server) - memory
        # A sanitizer keeps freed memory for a while, to see who still uses it.
        check(grown < MEMORY_BYTES or ctx.scale < 1, f"a client that does not read costs {grown} bytes")
        check(value(server, DROPPED, "queue_full") > before[DROPPED, "queue_full"],
              "no drop is counted as queue_full")
        got = 0
        while (message := client.receive_raw(5)) is not None:
            check_equal(len(message), 4 + FLOOD_PAYLOAD, "the size of a message")
            got += FLOOD_PAYLOAD
        relayed = format_address(client.relayed)
    session = wait_for_session(ctx, server, relayed)
    check(got > 0, "the client can read nothing at all")
    check_equal(session["peer_to_client_bytes"], got, "what is billed against what can be read")


DROPPED = "turn_relay_dropped_packets_total"
CLOSED = "turn_connections_closed_total"


def value(server: Server, name: str, reason: str) -> float:
    return prometheus.total(prometheus.scrape(server), name, reason=reason)


def resident_bytes(server: Server) -> int:
    if server.process is None:
        raise Failure("the server does not run")
    for line in Path(f"/proc/{server.process.pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Failure("the kernel does not say how much memory the server has")
