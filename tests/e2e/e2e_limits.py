"""Limits as an operator meets them: quotas refuse, rates drop, what is dropped is not billed."""

from __future__ import annotations

import json
import threading
import time

import prometheus
import usage
from e2e_admin import allocate, cli
from e2e_tcp_relay import TcpEchoPeer
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port, wait_for
from server import Server
from tcp_turn_client import TcpTurnClient
from traffic import CHANNEL, Call

SIZE = 1000
SECOND = 100_000  # bytes: what 800 kbit/s bring in a second, and so at once
ROOM = 1.5  # that much more may pass while a burst lasts on a slow machine


def run(ctx: Context) -> None:
    # It echoes nothing: both directions have buckets of their own, and one is enough.
    peer = EchoPeer(echo=False)
    ctx.on_cleanup(peer.close)
    server = Server(ctx, workers=2, admin={"token": "operators-only"},
                    limits={"allocations_per_account": 3, "account_bandwidth": "800 kbit/s"})
    server.config["listen"].append({"transport": "tcp", "address": "127.0.0.1",
                                    "port": free_port()})
    server.start()
    account(ctx, server, peer)
    session(ctx, server, peer)
    stream(ctx, server)
    quotas(ctx, server)
    server.stop()


def account(ctx: Context, server: Server, peer: EchoPeer) -> None:
    """One bucket for all sessions of an account, on whichever worker they are."""
    calls = [Call(server, peer, *user)
             for user in ((b"alice", b"s3cret"), (b"amber", b"s4cret"), (b"alice", b"s3cret"))]
    check_equal(allocate(server, b"alice", b"s3cret"), 486, "a fourth allocation of the account")
    other = Call(server, peer, b"bob", b"hunter2")
    for call in calls:
        burst(call, SECOND)
    burst(other, SECOND // 2)
    passed = settle(peer, calls)
    check(SECOND * 0.9 <= passed <= SECOND * ROOM, f"{passed} bytes of the account came through")
    check_equal(settle(peer, [other]), SECOND // 2, "another account's bytes")
    check_equal(prometheus.value(prometheus.scrape(server), "turn_limited_total",
                                 limit="account_bandwidth"),
                (SECOND * 3 - passed) // SIZE, "packets that were held back")
    wait_for(lambda: is_used(server, calls[0]), 10, "the use of the account's bandwidth")
    check_equal(quota(server, "allocations_per_account"), 1, "the use of the account's allocations")
    table = cli(ctx, server, "limits")
    check("allocations_per_account  acme" in table, f"the table of limits: {table}")
    for call in [*calls, other]:
        call.release()
    billed(ctx, server, peer, calls)


def session(ctx: Context, server: Server, peer: EchoPeer) -> None:
    """A reload limits calls that live, and lets them go again."""
    call = Call(server, peer, b"bob", b"hunter2")
    server.config["limits"] = {"session_packets": 50}
    server.write_config()
    said = cli(ctx, server, "reload")
    check("limits.session_packets: 0 -> 50" in said and "800 kbit/s -> none" in said, said)
    burst(call, SECOND)
    passed = settle(peer, [call]) // SIZE
    check(50 <= passed <= 75, f"{passed} packets of the session came through")
    server.config["limits"] = {}
    server.write_config()
    cli(ctx, server, "reload")
    burst(call, SECOND)
    check_equal(settle(peer, [call]) // SIZE, passed + 100, "packets without a limit")
    call.release()
    billed(ctx, server, peer, [call])


def stream(ctx: Context, server: Server) -> None:
    """A TCP data connection (RFC 6062) loses nothing to its limit: it waits."""
    server.config["limits"] = {"session_bandwidth": "800 kbit/s"}
    server.write_config()
    cli(ctx, server, "reload")
    peer = TcpEchoPeer()
    ctx.on_cleanup(peer.close)
    with TcpTurnClient(server, b"bob", b"hunter2") as client:
        client.allocate()
        data = client.bind_data(client.connect_peer(("127.0.0.1", peer.port)))
        started = time.monotonic()
        sender = threading.Thread(target=data.sendall, args=(bytes(3 * SECOND),))
        sender.start()
        got = 0
        while got < 3 * SECOND:
            got += len(data.recv(65536))
        sender.join()
        took = time.monotonic() - started
        # The first second's bytes come at once, and one read may run ahead.
        check(took > 1.2, f"{3 * SECOND} bytes came through in {took:.2f} s")
        data.close()
        client.release()


def quotas(ctx: Context, server: Server) -> None:
    """The server's own limit is 508, an address's 486."""
    for name, error in (("allocations", 508), ("allocations_per_address", 486)):
        server.config["limits"] = {name: 1}
        server.write_config()
        cli(ctx, server, "reload")
        call = Call(server, EchoPeerPort(), b"bob", b"hunter2")
        check_equal(allocate(server, b"alice", b"s3cret"), error, f"beyond {name}")
        row, = [row for row in json.loads(cli(ctx, server, "limits", "--json"))["rows"]
                if row["limit"] == name]
        check_equal((row["used"], row["of"], row["ratio"]), (1, 1, 1.0), name)
        call.release()


class EchoPeerPort:
    """A peer that nobody sends to."""
    port = 9


def burst(call: Call, size: int) -> None:
    for _ in range(size // SIZE):
        call.client.send_on_channel(CHANNEL, bytes(SIZE))


def settle(peer: EchoPeer, calls: list[Call]) -> int:
    """What the peer got of all these calls, once a Refresh has gone the same way."""
    for call in calls:
        check_equal(call.client.refresh(600).error, 0, "Refresh")
    seen = -1

    def rests() -> bool:
        nonlocal seen
        before, seen = seen, sum(peer.counts[call.relayed].received_bytes for call in calls)
        return seen == before
    wait_for(rests, 10, "the peer to have all")
    return seen


def billed(ctx: Context, server: Server, peer: EchoPeer, calls: list[Call]) -> None:
    """What was dropped stands in no bill."""
    def rows() -> dict[str, dict] | None:
        found = {row["relayed_address"]: row for row in usage.sessions(ctx, server)}
        done = all(c.relayed in found and found[c.relayed]["ended_at"] for c in calls)
        return found if done else None
    ended = wait_for(rows, 10, "the sessions to be booked")
    for call in calls:
        check_equal(ended[call.relayed]["client_to_peer_bytes"],
                    peer.counts[call.relayed].received_bytes, f"the session of {call.relayed}")


def is_used(server: Server, call: Call) -> bool:
    """Moves a little, since the use of a rate is that of the last second."""
    burst(call, SIZE)
    return quota(server, "account_bandwidth") > 0


def quota(server: Server, name: str) -> float:
    return prometheus.value(prometheus.scrape(server), "turn_quota_utilization_ratio", quota=name)
