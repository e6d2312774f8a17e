"""SIGTERM with live sessions: a clean end, and a report that is complete only then."""

from __future__ import annotations

import time

import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal
from server import Server
from traffic import Call

STOP_SECONDS = 10


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    # With so long an interval nothing but the last checkpoint can have written the figures.
    server = Server(ctx, metering={"checkpoint": "60s"}).start()
    users = [(b"alice", b"s3cret"), (b"amber", b"s4cret"), (b"bob", b"hunter2")]
    calls = [Call(server, peer, *users[i % 3], ipv6=i % 2 == 1) for i in range(12)]
    for i, call in enumerate(calls):
        call.echo(bytes(100 + i), ctx.scaled(50, least=5))
    ended = calls[:2]
    for call in ended:
        call.release()

    beside = usage.usage(ctx, server, "report")
    check_equal(beside["complete"], False, "complete, beside the live server")
    check(beside["as_of"], "as_of is empty beside the live server")

    started = time.monotonic()
    server.stop(STOP_SECONDS)
    check(time.monotonic() - started < STOP_SECONDS, "the server takes too long to stop")

    after = usage.usage(ctx, server, "report")
    check_equal(after["complete"], True, "complete, after the server's end")
    check(after["as_of"] > beside["as_of"], "as_of has not moved on")
    rows = {row["relayed_address"]: row for row in usage.sessions(ctx, server)}
    check_equal(len(rows), len(calls), "sessions")
    for call in calls:
        row = rows[call.relayed]
        want = (call.echoed_bytes, call.echoed_bytes,
                "refreshed_to_zero" if call in ended else "drained")
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"],
                     row["close_reason"]), want, f"the session of {call.relayed}")
        check(row["started_at"] <= row["ended_at"], "a session that ends before it starts")
    total = sum(call.echoed_bytes for call in calls)
    check_equal(usage.summed(after["rows"]), (total, total), "the report")
    usage.check_integrity(server.state / "usage.db")
    for call in calls[2:]:
        call.abandon()
    restart_changes_nothing(ctx, server, total)


def restart_changes_nothing(ctx: Context, server: Server, total: int) -> None:
    """A start and a stop without calls leave the figures as they are."""
    before = usage.sessions(ctx, server)
    server.start()
    check_equal(usage.usage(ctx, server, "report")["complete"], False,
                "complete, with a server again")
    server.stop(STOP_SECONDS)
    check_equal(usage.sessions(ctx, server), before, "the sessions after an idle run")
    check_equal(usage.summed(usage.report(ctx, server)), (total, total), "the report after it")
