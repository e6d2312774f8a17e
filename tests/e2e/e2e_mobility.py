"""Clients that take their allocation along to another network (RFC 8016), over several workers.

The kernel chooses the worker by the 5-tuple, so most moves cross workers. Every byte is billed once, in one session.
coturn's client (`-M`) moves each allocation before it uses it, over UDP and TCP. Not over TLS or DTLS: where it closes
the old connection first, in one of four cases, it frees its session twice, and with it the new one.
"""

from __future__ import annotations

import struct
from typing import Any

import ledger_sql
import prometheus
import stun
from dtls_client import DtlsClient
from e2e_streams import certificate
from echo_peer import EchoPeer
from harness import Context, check_equal, free_port, wait_for
from server import Server
from stream_client import StreamClient
from stun import Message
from turn_client import TurnClient
from uclient import Load, Uclient
from usage import sessions

MOVES = 24
WORKERS = 3
TRANSPORTS = ("udp", "tcp", "tls", "dtls")
# Bob's way: from and to each transport, and to the same one.
JOURNEY = ("dtls", "dtls", "tls", "tls", "dtls", "udp", "tls", "tcp", "dtls", "tcp", "tcp", "tls", "udp")
UCLIENTS = {"udp": 10, "tcp": 6}  # transport: clients


def run(ctx: Context) -> None:
    echo = EchoPeer()
    ctx.on_cleanup(echo.close)
    users = [{"username": name, "password": f"pw-{name}", "account": name} for name in ("bob", *UCLIENTS)]
    users.append({"username": "alice", "password": "s3cret", "account": "acme"})
    listeners = [{"transport": each, "address": address, "port": free_port(address)}
                 for each in TRANSPORTS for address in ("127.0.0.1", "::1")]
    server = Server(ctx, workers=WORKERS, mobility=True, tls=certificate(ctx), listen=listeners,
                    auth={"users": users}).start()
    uclients = [Uclient(ctx, server, Load(name, f"pw-{name}", echo.port, clients, messages=20, transport=name,
                                          extra=["-M"]), f"uclient-{name}") for name, clients in UCLIENTS.items()]
    roam(ctx, server, echo)
    travel(ctx, server, echo)
    for name, tally in {each.load.username: each.exact() for each in uclients}.items():
        # Before each client it makes one more, a probe, which it leaves behind.
        rows = wait_for_bytes(ctx, server, name, UCLIENTS[name] * 2, tally.sent_bytes)
        for row in rows:
            if row["billable_bytes"]:
                check_equal(len(moves(server, row)), 1, "moves of a session of uclient")
    forbidden(ctx)
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_session_moves_total") == len(moves(server)),
             10, "as many moves to be counted as are logged")
    server.stop()
    ledger_sql.check_sums(server)


def roam(ctx: Context, server: Server, echo: EchoPeer) -> None:
    """One session that moves again and again; what it sends and gets is counted here as well."""
    peer = ("127.0.0.1", echo.port)
    address = ("127.0.0.1", server.listener_port("udp"))
    home = TurnClient(address, b"alice", b"s3cret")
    answer = allocate(home)
    ticket = answer.get(stun.MOBILITY_TICKET) or b""
    check_equal(len(ticket), 32, "the ticket's length")
    home.bind(0x4000, peer)
    sent = exchange(home, b"at home")
    for step in range(MOVES):
        away = TurnClient(address, b"alice", b"s3cret")
        away.realm, away.nonce, away.key = home.realm, home.nonce, home.key
        ticket = move(away, ticket)
        # Until it sends from there, data comes where it was.
        sent += exchange(home, b"old %d" % step)
        away.send_on_channel(0x4000, b"new %d" % step)
        check_equal(away.receive(10), (0x4000, b"new %d" % step), "what comes to the new 5-tuple")
        sent += len(b"new %d" % step)
        home.socket.close()
        home = away
    check_equal(home.refresh(600).error, 0, "Refresh where it ended")
    home.release()
    home.socket.close()

    (row,) = wait_for_bytes(ctx, server, "alice", 1, sent)
    check_equal(len(moves(server, row)), MOVES, "moves of alice")


def travel(ctx: Context, server: Server, echo: EchoPeer) -> None:
    """One session that goes through all transports and both families. At every other stop the old connection is
    gone before the new one is made."""
    def arrive(step: int) -> TurnClient:
        transport, ipv6 = JOURNEY[step], step % 3 == 2
        address = ("::1" if ipv6 else "127.0.0.1", server.listener_port(transport, ipv6))
        if transport == "dtls":
            return DtlsClient(address, b"bob", b"pw-bob")
        if transport == "udp":
            return TurnClient(address, b"bob", b"pw-bob")
        return StreamClient(address, b"bob", b"pw-bob", tls=transport == "tls")

    client = arrive(0)
    ticket = allocate(client).get(stun.MOBILITY_TICKET) or b""
    client.bind(0x4000, ("127.0.0.1", echo.port))
    sent = exchange(client, b"at home!")
    for step in range(1, len(JOURNEY)):
        breaks = step % 2 == 1
        if breaks:
            leave(client)
        following = arrive(step)
        ticket = move(following, ticket)
        if not breaks:
            sent += exchange(client, b"old %04d" % step)
        sent += exchange(following, b"new %04d" % step)
        if not breaks:
            leave(client)
        client = following
    check_equal(client.refresh(600).error, 0, "Refresh where the journey ends")
    client.release()
    leave(client)
    (row,) = wait_for_bytes(ctx, server, "bob", 1, sent)
    check_equal(len(moves(server, row)), len(JOURNEY) - 1, "moves of bob")
    check_equal(row["transport"], JOURNEY[0], "the transport of a session is that of its start")
    for transport in ("tls", "dtls"):
        wait_for(lambda: prometheus.value(prometheus.scrape(server), "turn_connections", transport=transport) == 0,
                 10, f"no {transport} connection to be left")


def leave(client: TurnClient) -> None:
    if isinstance(client, DtlsClient):
        client.close()
    else:
        client.socket.close()


def wait_for_bytes(ctx: Context, server: Server, username: str, count: int, size: int) -> list[dict[str, Any]]:
    """Waits until the ledger has that many sessions of a user, with that many bytes each way in all."""
    def booked() -> list[dict[str, Any]] | None:
        rows = [row for row in sessions(ctx, server) if row["username"] == username]
        complete = len(rows) == count and all(sum(row[name] for row in rows) == size
                                              for name in ("client_to_peer_bytes", "peer_to_client_bytes"))
        return rows if complete else None
    return wait_for(booked, 10, f"{count} sessions of {username} with {size} bytes each way")


def moves(server: Server, row: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What the log says of moves: of one session, or of all."""
    return [event for event in server.log_events() if event["event"] == "session_moved"
            and (row is None or event["session"] == row["session_id"])]


def allocate(client: TurnClient) -> Message:
    request = Message(stun.ALLOCATE, stun.REQUEST)
    request.add(stun.REQUESTED_TRANSPORT, struct.pack("!I", 17 << 24))
    request.add(stun.MOBILITY_TICKET, b"")
    return client.ask_authenticated(request)


def move(client: TurnClient, ticket: bytes) -> bytes:
    request = Message(stun.REFRESH, stun.REQUEST).add(stun.MOBILITY_TICKET, ticket)
    answer = client.ask_authenticated(request)
    check_equal(answer.error, 0, "a Refresh with ticket: error")
    return answer.get(stun.MOBILITY_TICKET) or b""


def exchange(client: TurnClient, payload: bytes) -> int:
    """Sends by channel 0x4000 and awaits the echo there."""
    client.send_on_channel(0x4000, payload)
    check_equal(client.receive(10), (0x4000, payload), "the echo")
    return len(payload)


def forbidden(ctx: Context) -> None:
    """Without `mobility: true` a client that asks for a ticket is told so."""
    server = Server(ctx, "still").start()
    with TurnClient(("127.0.0.1", server.port), b"alice", b"s3cret") as client:
        check_equal(allocate(client).error, 405, "Allocate with a ticket: error")
        client.allocate()
        client.release()
    server.stop()
