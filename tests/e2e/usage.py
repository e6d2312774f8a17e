"""What `turnpike usage` says, read with real parsers, and what the ledger says to plain SQL."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import Context, Failure, check, check_equal
from server import Server

SUMS = ("client_to_peer_bytes", "peer_to_client_bytes", "billable_bytes")


def usage(ctx: Context, server: Server, command: str, *arguments: str) -> dict[str, Any]:
    """Runs `turnpike usage report|sessions --format json` and returns the document."""
    done = ctx.cli("usage", command, "--ledger", server.state, "--format", "json", *arguments)
    document = json.loads(done.stdout.decode("utf-8"))
    for key in ("as_of", "complete", "rows"):
        check(key in document, f"usage {command}: the JSON has no {key}")
    for row in document["rows"]:
        for name in SUMS:
            check(isinstance(row[name], int), f"usage {command}: {name} is not an integer")
    return document


def sessions(ctx: Context, server: Server, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = usage(ctx, server, "sessions", *arguments)["rows"]
    identifiers = [row["session_id"] for row in rows]
    check_equal(len(set(identifiers)), len(identifiers), "distinct session ids")
    return rows


def report(ctx: Context, server: Server, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = usage(ctx, server, "report", *arguments)["rows"]
    return rows


def csv_rows(ctx: Context, server: Server, command: str, *arguments: str) -> list[dict[str, str]]:
    """As CSV: RFC 4180, every record with as many fields as the header."""
    done = ctx.cli("usage", command, "--ledger", server.state, "--format", "csv", *arguments)
    return parse_csv(done.stdout)


def parse_csv(data: bytes) -> list[dict[str, str]]:
    records = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    check(len(records) >= 1, "the CSV is empty")
    header = records[0]
    check_equal(len(set(header)), len(header), "distinct CSV columns")
    for record in records[1:]:
        check_equal(len(record), len(header), f"fields in the CSV record {record}")
    return [dict(zip(header, record)) for record in records[1:]]


def table(ctx: Context, server: Server, command: str, *arguments: str) -> str:
    done = ctx.cli("usage", command, "--ledger", server.state, "--format", "table", *arguments)
    return done.stdout.decode("utf-8")


def summed(rows: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Both directions' bytes over all rows; each row's billable must be their sum."""
    c2p = p2c = 0
    for row in rows:
        up, down = int(row["client_to_peer_bytes"]), int(row["peer_to_client_bytes"])
        check_equal(int(row["billable_bytes"]), up + down, f"billable_bytes of {row}")
        c2p, p2c = c2p + up, p2c + down
    return c2p, p2c


def sql(server: Server, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """Asks the ledger beside a live server: read-only, and without touching its WAL."""
    connection = sqlite3.connect(f"file:{server.state / 'usage.db'}?mode=ro", uri=True, timeout=20)
    try:
        connection.text_factory = bytes
        return connection.execute(query, arguments).fetchall()
    finally:
        connection.close()


def check_integrity(path: Path) -> None:
    """PRAGMA integrity_check and foreign_key_check find nothing."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    try:
        result = connection.execute("PRAGMA integrity_check").fetchall()
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise Failure(f"{path.name}: {error}") from error
    finally:
        connection.close()
    check_equal(result, [("ok",)], f"integrity_check of {path.name}")
    check_equal(orphans, [], f"foreign_key_check of {path.name}")
