"""The wall clock steps by weeks, also past the certificate's last day: calls go on, sums are right.

libfaketime gives the server a wall clock of its own; the machine's is left alone. It cannot do so with
AddressSanitizer: each breaks the other's start.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import signal
import time
from pathlib import Path

import ledger_sql
import prometheus
import usage
from e2e_reload import errors, make_certificate
from echo_peer import EchoPeer
from harness import Context, Skipped, check, check_equal, free_port, wait_for
from server import SECRET, Server
from stream_client import StreamClient
from traffic import CHANNEL, Call

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

# In days, one after the other: past the certificate's 30 days, before its first, and right again.
STEPS = {40: "expired at", -40: "is not valid before", 0: ""}


def run(ctx: Context) -> None:
    if LIBRARY is None:
        raise Skipped("not installed: libfaketime (tools/install test)")
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    make_certificate(ctx, "thirty-days")
    server = Server(ctx, metering={"checkpoint": "100ms"},
                    tls={"certificate": str(ctx.directory / "cert.pem"),
                         "key": str(ctx.directory / "key.pem")})
    server.config["listen"].append({"transport": "tls", "address": "127.0.0.1",
                                    "port": free_port()})
    step(ctx, 0)
    server.prefix = ["env", f"LD_PRELOAD={LIBRARY}", f"FAKETIME_TIMESTAMP_FILE={offset(ctx)}",
                     "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]
    server.start()
    user = credentials(3600)
    lasting = [Call(server, peer, b"alice", b"s3cret"), Call(server, peer, *user),
               TlsCall(server, peer)]
    ended = [one_step(ctx, server, peer, lasting, days, warning)
             for days, warning in STEPS.items()]
    check_equal(errors(server, user), 0, "credentials when the clock is right again")
    for call in lasting:
        call.release()
    server.stop()
    check_exact(ctx, server, [call for calls in [lasting, *ended] for call in calls])


class TlsCall(Call):
    """The same over TLS, by a client that takes any certificate."""

    def __init__(self, server: Server, peer: EchoPeer):
        self.client = StreamClient(("127.0.0.1", server.listener_port("tls")), b"bob", b"hunter2",
                                   tls=True)
        self.client.allocate()
        self.client.bind(CHANNEL, ("127.0.0.1", peer.port))
        self.relayed = "%s:%d" % self.client.relayed
        self.echoed_bytes = 0


def offset(ctx: Context) -> Path:
    return ctx.directory / "clock"


def step(ctx: Context, days: int) -> None:
    """The server's wall clock is `days` from the right time from now on."""
    new = ctx.directory / "clock.new"
    new.write_text(f"{days:+d}d")
    os.replace(new, offset(ctx))


def credentials(seconds: int) -> tuple[bytes, bytes]:
    """Time-limited ones that end so many seconds from now."""
    name = f"{int(time.time()) + seconds}:acme".encode()
    return name, base64.b64encode(hmac.digest(SECRET.encode(), name, hashlib.sha1))


def one_step(ctx: Context, server: Server, peer: EchoPeer, lasting: list[Call], days: int,
             warning: str) -> list[Call]:
    """Steps the clock amid calls and answers those that ended afterwards."""
    calls = [Call(server, peer, b"amber", b"s4cret"), TlsCall(server, peer)]
    talk(calls + lasting)
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_metering_unpersisted_bytes")
             == 0, 10, "a checkpoint before the step")
    step(ctx, days)
    for call in lasting + calls:
        check_equal(call.client.refresh(600).error, 0, f"Refresh when the clock is {days} days off")
    talk(calls + lasting)
    told = len(warnings(server))
    os.kill(server.launched().pid, signal.SIGHUP)
    if warning:
        wait_for(lambda: any(warning in each for each in warnings(server)[told:]), 10,
                 f"the warning that the certificate {warning}")
    check_equal(errors(server, (b"bob", b"hunter2")), 0, "Allocate after the step")
    check_equal(errors(server, credentials(3600)), 401 if days > 0 else 0,
                f"an Allocate with an hour's credentials when the clock is {days} days off")
    calls.append(TlsCall(server, peer))
    talk(calls)
    for call in calls:
        call.release()
    return calls


def talk(calls: list[Call]) -> None:
    for call in calls:
        call.echo(bytes(170), 3)


def warnings(server: Server) -> list[str]:
    return [e["warning"] for e in server.log_events() if e["event"] == "tls_certificate_warning"]


def check_exact(ctx: Context, server: Server, calls: list[Call]) -> None:
    rows = usage.sessions(ctx, server)
    billed = {row["relayed_address"]: row for row in rows if row["billable_bytes"]}
    check_equal(len(billed), len(calls), "sessions that relayed")
    for call in calls:
        row = billed[call.relayed]
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"],
                     row["close_reason"]),
                    (call.echoed_bytes, call.echoed_bytes, "refreshed_to_zero"),
                    f"the session of {call.relayed}")
    for row in rows:
        check(row["started_at"] <= row["ended_at"], f"a session ends before it starts: {row}")
    total = sum(call.echoed_bytes for call in calls)
    check_equal(usage.summed(usage.report(ctx, server)), (total, total), "the report")
    ledger_sql.check_sums(server)
    usage.check_integrity(server.state / "usage.db")
