"""Names are bytes from outside: no log line, CSV, JSON, table or metric may break over them."""

from __future__ import annotations

import base64
import hmac
import re
import time
from dataclasses import dataclass

import prometheus
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import SECRET, Server
from traffic import Call
from turn_client import TurnClient

NASTY = [
    b"=1+1", b"'=1+1", b"+cmd|' /C calc'!A0", b"-2+3", b"@SUM(A1:A9)", b"\t=1", b"\r=1", b"'",
    b'quote"d',
    b"comma,comma", b"semi;colon", b"two\nlines", b"cr\r\nlf", b"tab\there", b"\x00nul", b"\x1b[2J",
    b"\x7f\x80\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"caf\xc3\xa9", b"caf\xe9", b"back\\slash",
    b"\xff",
    b"\\xFF", b'{"event":"forged"}', b'}\n{"event":"forged"}', b'"} 1\nturn_forged 1',
    b"'; DROP TABLE session; --", b"<script>alert(1)</script>", "\u2028\u2029".encode(),
    "\u202egnp.exe".encode(), "\U0001f4b8".encode(), b"_other", b" lead and trail ", b"%s%n$x",
    b"a" * 128,
]

# As static users: control characters are refused there, which bad_input shows.
STATIC = [name for name in NASTY if name.isascii() and name.decode().isprintable()]
STATIC.append(b"u" * 508)


@dataclass
class Expected:
    """One call; its payload's size is its fingerprint."""
    account: bytes
    size: int


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    users = [{"username": name.decode(), "password": "pw", "account": name.decode()[:128],
              "label": name.decode()[:128]} for name in STATIC]
    server = Server(ctx, auth={"users": users}, log={"level": "debug"}).start()

    calls: list[Expected] = []
    for name in STATIC:
        calls.append(call(server, peer, name, b"pw", name[:128], 100 + len(calls)))
    for name in NASTY:
        username, password = credential(name, b"L" + name[:120])
        # A colon ends the account.
        account = name.partition(b":")[0]
        calls.append(call(server, peer, username, password, account, 100 + len(calls)))
    check_too_long(server)

    total = sum(c.size for c in calls)
    wait_for(lambda: total == prometheus.billed(prometheus.scrape(server),
                                                direction="client_to_peer"),
             30, "the ledger to hold every call")
    check_metrics(ctx, server, calls)
    server.stop()
    check_reports(ctx, server, calls)
    check_log(server)
    usage.check_integrity(server.state / "usage.db")


def credential(account: bytes, label: bytes) -> tuple[bytes, bytes]:
    """A time-limited credential, made here from the convention: any bytes may be in it."""
    username = b"%d:%s:%s" % (time.time() + 3600, account, label)
    return username, base64.b64encode(hmac.digest(SECRET.encode(), username, "sha1"))


def call(server: Server, peer: EchoPeer, username: bytes, password: bytes, account: bytes,
         size: int) -> Expected:
    one = Call(server, peer, username, password)
    one.echo(b"x" * size)
    one.release()
    return Expected(account, size)


def check_too_long(server: Server) -> None:
    """513 bytes, and parts that no record could hold, are refused with an answer."""
    address = ("127.0.0.1", server.port)
    for account, label in ((b"a" * 129, b"l"), (b"a", b"l" * 129), (b"a" * 251, b"l" * 250)):
        with TurnClient(address, *credential(account, label)) as client:
            check_equal(client.try_allocate().error, 401, "a credential with parts too long")
    for size in (509, 513, 763):
        with TurnClient(address, b"u" * size, b"pw") as client:
            error = client.try_allocate().error
            check(error in (400, 401), f"a username of {size} bytes gets {error}")
    with TurnClient(address) as client:
        check_equal(client.binding(), client.address, "the mapped address, after it all")


def check_metrics(ctx: Context, server: Server, calls: list[Expected]) -> None:
    prometheus.check_with_promtool(ctx, server)
    samples = prometheus.scrape(server)
    check(not any("forged" in s.name for s in samples), "a name forged a metric")
    accounts = [s.labels["account"] for s in samples if s.name == "turn_billable_bytes_total"
                and s.labels["direction"] == "client_to_peer"]
    check_equal(len(set(accounts)), len(accounts), "distinct accounts among the metrics")
    check_equal(len(accounts), len({c.account for c in calls}), "accounts among the metrics")


def check_reports(ctx: Context, server: Server, calls: list[Expected]) -> None:
    """JSON, CSV and table: a row per account with its own sum; nothing runs as a formula."""
    sums: dict[bytes, int] = {}
    for c in calls:
        sums[c.account] = sums.get(c.account, 0) + c.size
    for by, want in (("account", sorted(sums.values())), ("account,label", None)):
        rows = usage.report(ctx, server, "--by", by)
        as_csv = usage.csv_rows(ctx, server, "report", "--by", by)
        check_equal([row["billable_bytes"] for row in rows],
                    [int(row["billable_bytes"]) for row in as_csv], f"JSON and CSV by {by}")
        if want is not None:
            check_equal(sorted(row["client_to_peer_bytes"] for row in rows), want,
                        "bytes per account")
            check_equal(len({row["account"] for row in rows}), len(rows), "distinct accounts")
    sessions = usage.sessions(ctx, server)
    check_equal(sorted(row["client_to_peer_bytes"] for row in sessions),
                sorted(c.size for c in calls), "bytes per session")
    as_csv = usage.csv_rows(ctx, server, "sessions")
    check_equal(len(as_csv), len(calls), "records of the sessions' CSV")
    for row in as_csv:
        for column, cell in row.items():
            check(not re.match(r"[=+\-@\t\r]", cell), f"the cell {column}={cell!r} is a formula")
    for command, rows in (("sessions", len(calls)), ("report", len(sums))):
        lines = usage.table(ctx, server, command).splitlines()
        check(rows <= len(lines) <= rows + 6,
              f"the table of {rows} {command} has {len(lines)} lines")
        for line in lines:
            check(line.isprintable(), f"the table shows a control character: {line!r}")


def check_log(server: Server) -> None:
    """Every line is one JSON object with a time, and none was forged."""
    events = server.log_events()
    check(len(events) > 2, "the log has hardly any line")
    for event in events:
        check("event" in event and event["event"] != "forged", f"a name forged {event}")
