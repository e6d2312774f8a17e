"""Clients that take their allocation along to another network (RFC 8016), over several workers.

The kernel chooses the worker by the 5-tuple, so most moves cross workers. Every byte is billed once, in one session.
coturn's client (`-M`) is not asked: it shows its ticket again where it is already, to which §3.2.2 wants a 400.
"""

from __future__ import annotations

import struct

import prometheus
import stun
from echo_peer import EchoPeer
from harness import Context, check_equal, wait_for
from server import Server
from stun import Message
from turn_client import TurnClient
from usage import sessions

MOVES = 24
WORKERS = 3


def run(ctx: Context) -> None:
    echo = EchoPeer()
    ctx.on_cleanup(echo.close)
    server = Server(ctx, workers=WORKERS, mobility=True).start()
    roam(ctx, server, echo)
    forbidden(ctx)
    server.stop()


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

    def booked() -> bool:
        rows = [row for row in sessions(ctx, server) if row["username"] == "alice" and row["ended_at"]]
        return len(rows) == 1 and rows[0]["client_to_peer_bytes"] == sent \
            and rows[0]["peer_to_client_bytes"] == sent
    wait_for(booked, 10, f"one session of {sent} bytes each way")
    check_equal(prometheus.total(prometheus.scrape(server), "turn_session_moves_total"), MOVES,
                "moves that were counted")


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
