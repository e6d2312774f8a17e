"""The ledger by plain SQL: sums to hold reports against, and usage of earlier months."""

from __future__ import annotations

import datetime
import os
import sqlite3
from collections.abc import Sequence

import usage
from harness import check_equal
from server import Server

# What each grouping of a report is in the tables of LEDGER.md; a bucket is 900 seconds.
_COLUMNS = {
    "account": "account.name",
    "region": "region",
    "transport": "transport",
    "label": "label",
    "day": "strftime('%Y-%m-%d', bucket * 900, 'unixepoch')",
    "month": "strftime('%Y-%m', bucket * 900, 'unixepoch')",
}


def sums(server: Server, keys: Sequence[str]) -> dict[tuple[str, ...], tuple[int, int]]:
    """Both directions' bytes per group, from usage_bucket."""
    columns = ", ".join(_COLUMNS[key] for key in keys)
    rows = usage.sql(server, f"""
        SELECT {columns}, sum(client_to_peer_bytes), sum(peer_to_client_bytes)
        FROM usage_bucket JOIN account ON account.key = usage_bucket.account
        GROUP BY {", ".join(str(i + 1) for i in range(len(keys)))}""")
    return {tuple(cell.decode() for cell in row[:-2]): (row[-2], row[-1]) for row in rows}


def dict_by_key(rows: list[tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    return {row[0]: tuple(row[1:]) for row in rows}


def check_sums(server: Server) -> None:
    """Sessions, their parts, the buckets and the totals hold the same bytes and packets."""
    counters = [f"{direction}_{unit}" for unit in ("bytes", "wire_bytes", "packets")
                for direction in ("client_to_peer", "peer_to_client")]
    columns = ", ".join(f"coalesce(sum({name}), 0)" for name in counters)
    want = usage.sql(server, f"SELECT {columns} FROM session")
    for table in ("usage_part", "usage_bucket"):
        check_equal(usage.sql(server, f"SELECT {columns} FROM {table}"), want,
                    f"sums of {table} against those of session")
    parts = dict_by_key(usage.sql(server, f"SELECT session, {columns} FROM usage_part GROUP BY 1"))
    sessions = dict_by_key(usage.sql(server, f"SELECT key, {', '.join(counters)} FROM session"))
    nothing = (0,) * len(counters)
    wrong = [key for key, sums_ in sessions.items() if parts.get(key, nothing) != sums_]
    check_equal(wrong, [], "sessions whose parts do not add up to them")
    totals = usage.sql(server, "SELECT coalesce(sum(client_to_peer_bytes), 0),"
                               " coalesce(sum(peer_to_client_bytes), 0) FROM usage_total")
    check_equal(totals, [want[0][:2]], "sums of usage_total against those of session")


def book_past_usage(server: Server) -> None:
    """Books sessions over the ends of the last two months, as a server of then would have.

    The server must not run. Each session has a part on both sides of a midnight.
    """
    connection = sqlite3.connect(server.state / "usage.db")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    first = today.replace(day=1)
    for i in range(2):
        midnight = datetime.datetime.combine(first, datetime.time(), datetime.timezone.utc)
        _book_session(connection, int(midnight.timestamp()) // 900, 1000 + i)
        first = (first - datetime.timedelta(days=1)).replace(day=1)
    connection.commit()
    connection.close()


def _book_session(connection: sqlite3.Connection, bucket: int, size: int) -> None:
    """One session from the bucket before `bucket` into it, with `size` bytes and packets each."""
    boot, account = connection.execute("SELECT max(boot.key), min(account.key)"
                                       " FROM boot, account").fetchone()
    start = (bucket * 900 - 60) * 1_000_000
    identifier = (start // 1000).to_bytes(6, "big") + os.urandom(10)
    session = connection.execute(
        "INSERT INTO session VALUES (NULL, ?, ?, ?, ?, ?, 'udp', '127.0.0.1:1', '127.0.0.1:2',"
        " ?, ?, 'expired', ?, ?, ?, ?, ?, ?)",
        (identifier, boot, account, b"old", b"alice", start, start + 120_000_000,
         *(2 * size + i for i in (0, 4, 8, 12, 16, 20)))).lastrowid
    region = connection.execute("SELECT region FROM boot WHERE key = ?", (boot,)).fetchone()[0]
    for b in (bucket - 1, bucket):
        figures = tuple(size + i for i in (0, 2, 4, 6, 8, 10))
        connection.execute("INSERT INTO usage_part VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                           (b, session, *figures))
        connection.execute("INSERT INTO usage_bucket"
                           " VALUES (?, ?, ?, 'udp', ?, ?, ?, ?, ?, ?, ?, ?)",
                           (b, account, region, b"old", *figures, int(b < bucket)))
    connection.execute("UPDATE usage_total SET client_to_peer_bytes = client_to_peer_bytes + ?,"
                       " peer_to_client_bytes = peer_to_client_bytes + ?"
                       " WHERE account = ? AND region = ?",
                       (2 * size, 2 * size + 4, account, region))
