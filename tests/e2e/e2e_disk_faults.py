"""A disk that fails: EIO on fsync, read-only, slow; and a kill at system calls of a checkpoint.

Faults are injected into the ledger's thread while calls go on; disk_full has the full disk. A kill at
each system call of a checkpoint: TURNPIKE_E2E_SCALE=6 tests/e2e/run build/release disk_faults
"""

from __future__ import annotations

import time

import ledger_sql
import prometheus
import slots
import strace
import usage
from e2e_kill9 import Book, check_books
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Call

# What of a checkpoint reaches the disk, and how each may fail.
FAILURES = [
    ("EIO on fsync", ["fdatasync:error=EIO", "fsync:error=EIO"]),
    ("a read-only file system", ["pwrite64:error=EROFS", "openat:error=EROFS"]),
    ("short of descriptors", ["openat:error=EMFILE", "fdatasync:error=EIO"]),
]

# The N-th call of a thread ends the process: SIGKILL at the ledger's, and SIGABRT, by which a thread
# dies, at either's. EVERY, which a larger scale adds, has each call of a checkpoint and of parts of the
# next.
DEATHS = [("ledger", "fdatasync", 2, "ABRT"), ("relay", "epoll_wait", 5, "ABRT")]
KILLS = [("ledger", call, number, "KILL")
         for call, number in [("pwrite64", 1), ("pwrite64", 2), ("pwrite64", 4), ("pwrite64", 7),
                              ("fdatasync", 1), ("fdatasync", 2), ("fdatasync", 3)]]
EVERY = [("ledger", call, number, "KILL")
         for call, most in (("fcntl", 12), ("pwrite64", 24))
         for number in range(1, most + 1)]


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, metering={"checkpoint": "100ms"}).start()
    calls = [Call(server, peer, b"alice", b"s3cret", ipv6=i % 2 == 1) for i in range(4)]
    for what, faults in FAILURES:
        with strace.attached(ctx, server, "ledger", *faults):
            fails(server, calls, what)
        heals(server, calls, what)
    slow(ctx, server, calls)
    server.stop()
    total = sum(call.echoed_bytes for call in calls)
    check_equal(usage.summed(usage.report(ctx, server)), (total, total), "the report")
    ledger_sql.check_sums(server)
    usage.check_integrity(server.state / "usage.db")
    kills(ctx, peer)


def talk(calls: list[Call], count: int = 5) -> None:
    for call in calls:
        call.echo(bytes(150), count)


def healthy(server: Server) -> bool:
    return prometheus.value(prometheus.scrape(server), "turn_metering_healthy") == 1


def fails(server: Server, calls: list[Call], what: str) -> None:
    """No call notices; what is not on disk is said."""
    talk(calls)
    wait_for(lambda: not healthy(server), 20, f"turn_metering_healthy to be 0: {what}")
    talk(calls)
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_metering_unpersisted_bytes")
             > 0, 20, f"unpersisted bytes: {what}")
    check_equal(server.get("/readyz")[0], 200, f"GET /readyz: {what}")


def heals(server: Server, calls: list[Call], what: str) -> None:
    wait_for(lambda: healthy(server) and booked(server, calls), 20, f"the books after: {what}")


def booked(server: Server, calls: list[Call]) -> bool:
    return (prometheus.billed(prometheus.scrape(server))
            == 2 * sum(call.echoed_bytes for call in calls))


def slow(ctx: Context, server: Server, calls: list[Call]) -> None:
    """A checkpoint that takes a second delays no datagram."""
    with strace.attached(ctx, server, "ledger", "fdatasync:delay_enter=1000000"):
        talk(calls, 1)
        end = time.monotonic() + 1.5
        worst = 0.0
        while time.monotonic() < end:
            began = time.monotonic()
            talk(calls[:1], 1)
            worst = max(worst, time.monotonic() - began)
        check(worst < 0.9, f"a datagram took {worst:.2f} s beside a slow disk")
    heals(server, calls, "a slow disk")


def kills(ctx: Context, peer: EchoPeer) -> None:
    """Whatever of a checkpoint was done: the next start has every byte, once."""
    server = Server(ctx, "killed", metering={"checkpoint": "100ms"}).start()
    book = Book()
    every = DEATHS + KILLS + [kill for kill in EVERY if kill not in KILLS]
    for thread, call, number, how in every[:ctx.scaled(len(DEATHS + KILLS), least=5)]:
        callers = [Call(server, peer, b"alice", b"s3cret") for _ in range(2)]
        talk(callers)
        callers[0].release()
        strace.attach(ctx, server, thread, f"{call}:signal={how}:when={number}")
        try:
            end = time.monotonic() + 10
            while server.launched().running() and time.monotonic() < end:
                callers[1].client.send_on_channel(0x4000, bytes(100))
                callers[1].client.receive(0.02)
        except OSError:
            pass  # nobody listens any more
        check(server.launched().ends_within(5), f"{thread}: {call} {number} was never called")
        book.add(slots.read(server.state / "live.slots"))
        server.start()
        check_books(ctx, server, book, peer)
    server.stop()
    check_books(ctx, server, book, peer)
