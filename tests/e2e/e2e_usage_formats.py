"""`turnpike usage` in every format and grouping against plain SQL sums over the ledger."""

from __future__ import annotations

import re
from typing import Any

import ledger_sql
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal
from server import Server
from traffic import Call

DIRECTIONS = ("client_to_peer_bytes", "peer_to_client_bytes")
GROUPINGS = ["account", "region", "transport", "label", "day", "month", "account,region",
             "account,label,day", "month,account,region,transport,label"]


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx).start()
    users = [(b"alice", b"s3cret"), (b"amber", b"s4cret"), (b"bob", b"hunter2")]
    for i in range(9):
        call = Call(server, peer, *users[i % 3], ipv6=i % 2 == 1)
        call.echo(bytes(10 + i), 1 + i)
        call.release()
    server.stop()
    # The same node in another region: one ledger, two regions.
    server.config["region"] = "de1"
    server.start()
    for user in users[:2]:
        call = Call(server, peer, *user)
        call.echo(bytes(1000))
        call.release()
    server.stop()
    ledger_sql.book_past_usage(server)
    ledger_sql.check_sums(server)

    for by in GROUPINGS:
        check_grouping(ctx, server, by)
    check_sessions(ctx, server)
    check_periods(ctx, server)


def check_grouping(ctx: Context, server: Server, by: str) -> None:
    """JSON, CSV and table of one grouping agree, and each row is what SQL says."""
    keys = by.split(",")
    rows = usage.report(ctx, server, "--by", by)
    as_csv = usage.csv_rows(ctx, server, "report", "--by", by)
    check_equal(len(as_csv), len(rows), f"records by {by}")
    for row, record in zip(rows, as_csv):
        for column in (*keys, "sessions", *DIRECTIONS, "billable_bytes"):
            check_equal(record[column], str(row[column]), f"{column} by {by}, CSV against JSON")
    got = {tuple(row[key] for key in keys): tuple(row[d] for d in DIRECTIONS) for row in rows}
    check_equal(len(got), len(rows), f"distinct groups by {by}")
    check_equal(got, ledger_sql.sums(server, keys), f"sums by {by} against SQL")
    check_table(ctx, server, by, rows)


def check_table(ctx: Context, server: Server, by: str, rows: list[dict[str, Any]]) -> None:
    text = usage.table(ctx, server, "report", "--by", by)
    numbers = re.findall(r"\d+", re.sub(r"(?<=\d)[,\u202f' ](?=\d{3}\b)", "", text))
    for row in rows:
        for column in DIRECTIONS:
            check(str(row[column]) in numbers, f"the table by {by} lacks {row[column]}:\n{text}")


def check_sessions(ctx: Context, server: Server) -> None:
    document = usage.usage(ctx, server, "sessions")
    rows = document["rows"]
    as_csv = usage.csv_rows(ctx, server, "sessions")
    check_equal([row["session_id"] for row in rows], [row["session_id"] for row in as_csv],
                "sessions, JSON against CSV")
    for row, record in zip(rows, as_csv):
        want = {column: cell(value) for column, value in row.items()}
        want |= {"as_of": document["as_of"], "complete": cell(document["complete"])}
        check_equal(record, want, "a session, CSV against JSON")
    text = usage.table(ctx, server, "sessions")
    for row in rows:
        check(row["session_id"] in text, f"the table lacks {row['session_id']}")


def cell(value: Any) -> str:
    """What a JSON value is in the CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return " ".join(f"{name}={count}" for name, count in value.items())
    return str(value)


def check_periods(ctx: Context, server: Server) -> None:
    """Half-open periods that touch sum up to the whole: nothing falls between, nothing doubles."""
    whole = usage.summed(usage.report(ctx, server))
    months = usage.report(ctx, server, "--by", "month")
    check_equal(usage.summed(months), whole, "the months together")
    check(len(months) >= 3, f"only {len(months)} months")
    cut = months[1]["month"] + "-01"
    first = usage.summed(usage.report(ctx, server, "--to", cut))
    second = usage.summed(usage.report(ctx, server, "--from", cut))
    check_equal((first[0] + second[0], first[1] + second[1]), whole, f"both sides of {cut}")
    check(first[0] > 0 and second[0] > 0, f"one side of {cut} is empty")
