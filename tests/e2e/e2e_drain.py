"""A server that drains: calls in progress lose nothing, new ones are refused, and it ends by itself."""

from __future__ import annotations

import signal
import threading
import time

import prometheus
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import USERS, Server
from traffic import Call, in_parallel
from turn_client import TurnClient

ALICE = (b"alice", b"s3cret")
BOB = (b"bob", b"hunter2")


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    under_load(ctx, peer)
    for name, stop in (("deadline", lambda process: process.terminate()),
                       ("twice", terminate_twice),
                       ("interrupt", lambda process: process.popen.send_signal(signal.SIGINT))):
        cut_short(ctx, peer, name, stop)


def under_load(ctx: Context, peer: EchoPeer) -> None:
    """SIGTERM in the midst of many calls: each goes on, refreshes, and ends by itself."""
    server = Server(ctx, "load", workers=2, drain_deadline="5m").start()
    calls = open_calls(ctx, server, peer)
    go_on, heard = threading.Event(), threading.Barrier(5, timeout=60)

    def talk(mine: list[Call]) -> None:
        for i in range(10**6):
            for call in mine:
                call.echo(bytes(50 + i % 100))
            if i == 2:
                heard.wait()
            if go_on.is_set():
                break
        for call in mine:
            check_equal(call.client.refresh(600).error, 0, "Refresh while the server drains")
            call.echo(bytes(77), 3)
            call.release()

    def stop() -> None:
        heard.wait()
        try:
            server.launched().terminate()
            wait_for(lambda: server.get("/readyz") == (503, "draining\n"), 10, "a 503 of /readyz")
            check_refused(server)
            check_metrics(server, len(calls))
            time.sleep(1)  # calls talk on meanwhile
            check(server.launched().running(), "the server ends although calls live")
        finally:
            go_on.set()

    in_parallel([stop, *(lambda mine=calls[i::4]: talk(mine) for i in range(4))])
    check_equal(server.launched().wait(10), 0, "exit status after the drain")
    check("drained" in server.launched().stdout(), "the log does not say `drained`")
    check_report(ctx, server, calls, peer)


def open_calls(ctx: Context, server: Server, peer: EchoPeer) -> list[Call]:
    users = [(u["username"].encode(), u["password"].encode()) for u in USERS]
    return [Call(server, peer, *users[i % len(users)], ipv6=i % 2 == 1)
            for i in range(ctx.scaled(200, least=20))]


def check_refused(server: Server) -> None:
    with TurnClient(("127.0.0.1", server.port), *ALICE) as client:
        check_equal(client.try_allocate().error, 508, "Allocate while the server drains: error")
        check_equal(client.binding()[0], "127.0.0.1", "Binding while the server drains")


def check_metrics(server: Server, calls: int) -> None:
    samples = prometheus.scrape(server)
    check_equal(prometheus.value(samples, "turn_draining"), 1, "turn_draining")
    check_equal(prometheus.total(samples, "turn_allocations"), calls, "turn_allocations")


def check_report(ctx: Context, server: Server, calls: list[Call], peer: EchoPeer) -> None:
    """Client, peer and ledger agree to the byte, session by session."""
    rows = {row["relayed_address"]: row for row in usage.sessions(ctx, server)}
    check_equal(len(rows), len(calls), "sessions")
    for call in calls:
        row = rows[call.relayed]
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"], row["close_reason"]),
                    (call.echoed_bytes, call.echoed_bytes, "refreshed_to_zero"),
                    f"the session of {call.relayed}")
        check_equal(peer.counts[call.relayed].received_bytes, call.echoed_bytes,
                    f"what the peer got from {call.relayed}")
    report = usage.usage(ctx, server, "report")
    total = sum(call.echoed_bytes for call in calls)
    check_equal((report["complete"], usage.summed(report["rows"])), (True, (total, total)),
                "the report")


def terminate_twice(process) -> None:
    process.terminate()
    wait_for(lambda: "drain_started" in process.stdout(), 10, "the drain to start")
    process.terminate()


def cut_short(ctx: Context, peer: EchoPeer, name: str, stop) -> None:
    """The deadline, a second SIGTERM, or ^C end a drain: exit 0, and all is booked."""
    deadline = "1s" if name == "deadline" else "5m"
    server = Server(ctx, name, metering={"checkpoint": "60s"}, drain_deadline=deadline).start()
    call = Call(server, peer, *BOB)
    call.echo(bytes(123), 5)
    stop(server.launched())
    check_equal(server.launched().wait(10), 0, f"{name}: exit status")
    row, = usage.sessions(ctx, server)
    check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"], row["close_reason"]),
                (615, 615, "drained"), f"{name}: the session")
    call.abandon()
