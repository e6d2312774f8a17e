"""The state's file system fills up amid calls: they go on, and what they cost is booked later."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import ledger_sql
import prometheus
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Call, in_parallel

# Room for one segment of slots (2.3 MB) and a young ledger.
SIZE = "6m"


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, metering={"checkpoint": "200ms"})
    ctx.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", server.state])
    ctx.on_cleanup(lambda: ctx.run(["umount", server.state]))
    server.start()
    calls = [Call(server, peer, b"alice", b"s3cret", ipv6=i % 2 == 1) for i in range(8)]
    talk(calls, ctx.scaled(20, least=2))
    wait_until_booked(server, calls)

    ballast = fill(server.state)
    # New sessions need new pages; the calls from before only change old ones.
    while not unpersisted(server):
        check(len(calls) < 900, "the ledger never ran out of room")
        calls += [Call(server, peer, b"bob", b"hunter2") for _ in range(20)]
        talk(calls, 1)
        fill(server.state)
    talk(calls, ctx.scaled(10, least=2))
    check(unpersisted(server) > 0, "turn_metering_unpersisted_bytes is 0 with a full disk")
    failure = server.wait_for_event("ledger_write_failed")
    check("full" in failure["error"], f"the log does not say that the disk is full: {failure}")
    lines = sum(event["event"] == "ledger_write_failed" for event in server.log_events())
    check(lines < 10, f"the log says it {lines} times")
    check_equal(server.get("/livez")[0], 200, "GET /livez with a full disk")

    for path in ballast:
        path.unlink()
    wait_until_booked(server, calls)
    server.wait_for_event("ledger_healed")
    check_equal(unpersisted(server), 0, "turn_metering_unpersisted_bytes after the disk healed")
    for call in calls[::2]:
        call.release()
    server.stop()
    check_exact(ctx, server, calls)
    starts_full(server)
    check_exact(ctx, server, calls)


def starts_full(server: Server) -> None:
    """A start on a full disk is refused, and says so; what is there stays as it is."""
    fill(server.state)
    check(server.launch().wait(20) != 0, "it starts on a full disk")
    check("usage.db: database or disk is full" in server.launched().stderr(),
          f"it does not say why: {server.launched().stderr()}")


def talk(calls: list[Call], count: int) -> None:
    """Every call echoes; one datagram lost fails the test."""
    lanes = [calls[i::8] for i in range(8)]

    def lane(some: list[Call]) -> None:
        for i, call in enumerate(some):
            call.echo(bytes(200 + i % 7), count)

    in_parallel([lambda some=some: lane(some) for some in lanes])


def fill(directory: Path) -> list[Path]:
    """Takes every free byte of a file system; returns the files that hold it."""
    path = directory / "ballast"
    with open(path, "ab", buffering=0) as ballast:
        for block in (65536, 4096, 1):
            try:
                while True:
                    ballast.write(bytes(block))
            except OSError as error:
                check_equal(error.errno, errno.ENOSPC, "errno of a full disk")
    check_equal(os.statvfs(directory).f_bavail, 0, "free blocks of the full disk")
    return [path]


def unpersisted(server: Server) -> int:
    return prometheus.total(prometheus.scrape(server), "turn_metering_unpersisted_bytes")


def wait_until_booked(server: Server, calls: list[Call]) -> None:
    total = 2 * sum(call.echoed_bytes for call in calls)
    wait_for(lambda: prometheus.billed(prometheus.scrape(server)) == total,
             30, f"the ledger to hold {total} bytes")


def check_exact(ctx: Context, server: Server, calls: list[Call]) -> None:
    rows = {row["relayed_address"]: row for row in usage.sessions(ctx, server)}
    check_equal(len(rows), len(calls), "sessions")
    for i, call in enumerate(calls):
        row = rows[call.relayed]
        reason = "drained" if i % 2 else "refreshed_to_zero"
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"],
                     row["close_reason"]), (call.echoed_bytes, call.echoed_bytes, reason),
                    f"the session of {call.relayed}")
    total = sum(call.echoed_bytes for call in calls)
    check_equal(usage.summed(usage.report(ctx, server)), (total, total), "the report")
    ledger_sql.check_sums(server)
    usage.check_integrity(server.state / "usage.db")
