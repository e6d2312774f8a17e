"""kill -9 amid calls, ten times on one directory: nothing is lost, nothing counts twice.

Three witnesses: the slots as they stood right after the kill, read by this test; what the peer
counted per relayed address; and Prometheus before and after.
"""

from __future__ import annotations

import random
from collections import defaultdict

import ledger_sql
import prometheus
import slots
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Callers
from uclient import Load, Uclient

ROUNDS = 10

# The server hands at most so many datagrams to the kernel in one call.
DATAGRAMS_PER_CALL = 64

# Longer than all that the other callers send, and different in each round.
UCLIENT_LENGTH = 301


class Book:
    """What every session must have in the ledger, as far as the slots have told."""

    def __init__(self) -> None:
        self.sessions: dict[str, tuple[int, int]] = {}
        self.crashed: set[str] = set()

    def add(self, found: dict[str, slots.Slot]) -> None:
        for session, slot in found.items():
            self.sessions[session] = (slot.client_to_peer_bytes, slot.peer_to_client_bytes)
            if slot.state == slots.LIVE:
                self.crashed.add(session)


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, workers=2, metering={"checkpoint": "100ms"}).start()
    book = Book()
    chance = random.Random(5)
    last_billable: dict[tuple[str, str, str], int] = {}
    for number in range(ROUNDS):
        last_billable = one_life(ctx, server, peer, chance, number, last_billable)
        book.add(slots.read(server.state / "live.slots"))
        server.start()
        check_books(ctx, server, book, peer)
    server.stop()
    check_books(ctx, server, book, peer)
    check_little_was_free(usage.sessions(ctx, server), peer)
    check(len(book.crashed) >= ROUNDS, "the kills hit hardly any live session")
    check_equal(usage.usage(ctx, server, "report")["complete"], True, "complete, at the end")


def one_life(ctx: Context, server: Server, peer: EchoPeer, chance: random.Random, number: int,
             last: dict[tuple[str, str, str], int]) -> dict[tuple[str, str, str], int]:
    """Makes calls, kills the server amid them, and returns the last billable totals before."""
    load = Load("alice", "s3cret", peer_port=peer.port, clients=8, messages=100000, interval_ms=2,
                length=UCLIENT_LENGTH + number, ipv6=number % 2 == 1,
                send_indications=number % 4 >= 2)
    uclient = Uclient(ctx, server, load, f"uclient-{number}")
    callers = Callers(server, peer, [(b"amber", b"s4cret"), (b"bob", b"hunter2")] * 2)
    try:
        wait_for(lambda: heard(peer, load.length), 30, "uclient to relay")
        relayed = prometheus.total(prometheus.scrape(server), "turn_relay_packets_total")
        more = chance.randint(1, ctx.scaled(3000, least=100))
        wait_for(lambda: prometheus.total(prometheus.scrape(server),
                                          "turn_relay_packets_total") >= relayed + more,
                 60, f"{more} packets more")
        billable = prometheus.billable(prometheus.scrape(server))
        server.kill9()
    finally:
        callers.stop()
        uclient.process.kill()
    for key, value in last.items():
        check(billable.get(key, 0) >= value,
              f"turn_billable_bytes_total of {key} fell from {value} to {billable.get(key)}")
    return billable


def heard(peer: EchoPeer, length: int) -> bool:
    """Whether a source has sent only datagrams of `length`."""
    return any(c.received_packets and c.received_bytes == length * c.received_packets
               for c in list(peer.counts.values()))


def check_books(ctx: Context, server: Server, book: Book, peer: EchoPeer) -> None:
    """The ledger against the slots' last words, sums against sums, and against the peer."""
    rows = {row["session_id"]: row for row in usage.sessions(ctx, server)}
    for session, want in book.sessions.items():
        check(session in rows, f"the ledger does not know session {session}")
        row = rows[session]
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"]), want,
                    f"session {session} against its slot after the kill")
        check((row["close_reason"] == "crash") == (session in book.crashed),
              f"session {session} is closed as {row['close_reason']!r}")
    total = usage.summed(rows.values())
    check_equal(usage.summed(usage.report(ctx, server)), total, "the report against its sessions")
    ledger_sql.check_sums(server)
    check_against_peer(list(rows.values()), peer)
    usage.check_integrity(server.state / "usage.db")
    if server.process is not None and server.process.running():
        billable = prometheus.billable(prometheus.scrape(server))
        check_equal(sum(billable.values()), sum(total), "turn_billable_bytes_total after restart")


def billed_by_address(rows: list[dict]) -> dict[str, list[int]]:
    billed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        billed[row["relayed_address"]][0] += row["client_to_peer_bytes"]
        billed[row["relayed_address"]][1] += row["peer_to_client_bytes"]
    return billed


def check_little_was_free(rows: list[dict], peer: EchoPeer) -> None:
    """What the peer got and nobody pays for is at most one unfinished system call per kill."""
    billed = sum(one_way for one_way, _ in billed_by_address(rows).values())
    received = sum(counts.received_bytes for counts in peer.counts.values())
    largest = UCLIENT_LENGTH + ROUNDS
    check(received - billed <= ROUNDS * DATAGRAMS_PER_CALL * largest,
          f"the peer got {received} bytes, only {billed} are billed")


def check_against_peer(rows: list[dict], peer: EchoPeer) -> None:
    """No relayed address is billed for more than the peer got from it or sent to it."""
    for address, (received, sent) in billed_by_address(rows).items():
        counts = peer.counts.get(address)
        got = (counts.received_bytes, counts.sent_bytes) if counts else (0, 0)
        check(received <= got[0] and sent <= got[1],
              f"{address} is billed {received} + {sent} bytes, its peer saw {got[0]} + {got[1]}")
