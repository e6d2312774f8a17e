"""Mixed load with churn, reloads, faults and restarts; then nothing has leaked and no byte is lost.

TURNPIKE_SOAK_SECONDS says for how long (120, fewer under a sanitizer; `tools/soak` sets it). The server
has several lives, which end by SIGTERM and by kill -9 in turn. In each, `turnpike load` makes calls over
every transport, round after round, while things go wrong. Between rounds all ports must be back, and
memory and descriptors must be what they were after the first round.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import time

import ledger_sql
import prometheus
import strace
import usage
from e2e_reload import make_certificate
from e2e_slow_clients import HALF_HELLO, Usage, usage_of
from e2e_streams import certificate
from harness import Context, check, wait_for
from honest import Honest, listen_as_load_expects
from server import Server

SECONDS = 120
LIVES = 4       # at least; a life of a long run is as long as ROUND_SECONDS allow
MOST_LIFE_SECONDS = 300
MOST_ROUND_SECONDS = 30
CALLS = 24
PACKETS_PER_SECOND = 800

# What may be gained between the first rest of a life and its last: 2 %, or some pages of the allocator.
FLAT = 0.02
PAGES = 1 << 20


def run(ctx: Context) -> None:
    seconds = float(os.environ.get("TURNPIKE_SOAK_SECONDS", ctx.scaled(SECONDS, least=30)))
    server = Server(ctx, workers=2, tls=certificate(ctx), metering={"checkpoint": "200ms"},
                    limits={"handshake_timeout": "1s", "idle_timeout": "2s", "write_timeout": "1s"})
    listen_as_load_expects(server)
    soak = Soak(ctx, server)
    end = time.monotonic() + seconds
    lives = max(LIVES, round(seconds / MOST_LIFE_SECONDS))
    for number in range(lives):
        soak.live((end - time.monotonic()) / (lives - number), crash=number % 2 == 1)
    ledger_sql.check_sums(server)
    usage.check_integrity(server.state / "usage.db")
    print(f"      {lives} lives, {soak.rounds} rounds, {soak.calls} calls, {soak.faults} faults, "
          f"{soak.billed_bytes} bytes billed as sent; most gained in a life: "
          f"{soak.most_gained >> 10} KiB of {soak.resident >> 10}", flush=True)


class Soak:
    """The server's lives, and what was seen in them."""

    def __init__(self, ctx: Context, server: Server):
        self._ctx, self._server = ctx, server
        self._chance = random.Random(11)
        self.rounds = self.calls = self.faults = self.billed_bytes = 0
        self.most_gained = self.resident = 0

    def live(self, seconds: float, crash: bool) -> None:
        """One life: rounds of calls with a rest after each, and an end, amid calls if by a crash."""
        self._server.start()
        end = time.monotonic() + seconds
        each = min(seconds / 4, MOST_ROUND_SECONDS)
        first = self._round(each)
        last = first
        while time.monotonic() + each < end:
            last = self._round(each)
        self._check_flat(first, last)
        if crash:
            self._die(max(1.0, end - time.monotonic()))
        self._server.stop()

    def _round(self, seconds: float) -> Usage:
        honest = self._call()
        self._go_wrong(seconds)
        self._count(honest.finish())
        return self._rest()

    def _die(self, seconds: float) -> None:
        """kill -9 amid calls: what they sent is billed as far as it was relayed, by the next life."""
        honest = self._call()
        self._go_wrong(seconds)
        self._server.kill9()
        self._server.start()
        self._count(honest.break_off())
        self._rest()

    def _call(self) -> Honest:
        return Honest(self._ctx, self._server, self._ctx.scaled(CALLS, least=8),
                      self._ctx.scaled(PACKETS_PER_SECOND), "--churn", "2")

    def _count(self, result: dict) -> None:
        self.rounds += 1
        self.calls += result["sessions"]
        self.billed_bytes += result["billing"]["ledger_bytes"]

    def _rest(self) -> Usage:
        """Waits until every call is over, and answers what the server has then."""
        def is_quiet() -> bool:
            samples = prometheus.scrape(self._server)
            return all(prometheus.total(samples, name) == 0 for name in
                       ("turn_allocations", "turn_connections", "turn_ports_in_use",
                        "turn_metering_unpersisted_bytes"))
        wait_for(is_quiet, 30, "every call to be over, and every port to be back")
        return usage_of(self._server)

    def _check_flat(self, first: Usage, last: Usage) -> None:
        gained = last.resident - first.resident
        self.resident = max(self.resident, last.resident)
        self.most_gained = max(self.most_gained, gained)
        # A sanitizer keeps what is freed.
        check(self._ctx.scale < 1 or gained <= max(first.resident * FLAT, PAGES),
              f"resident memory grew from {first.resident} to {last.resident} bytes")
        # A scrape that was just answered may be on its way out.
        check(last.descriptors <= first.descriptors * (1 + FLAT) + 2,
              f"descriptors grew from {first.descriptors} to {last.descriptors}")

    def _go_wrong(self, seconds: float) -> None:
        """One thing after the other, for so long."""
        kinds = (self._new_limits, self._failing_disk, self._half_open, self._new_certificate,
                 self._stopped_process)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            kinds[self.faults % len(kinds)]()
            self.faults += 1
            time.sleep(max(0.0, min(0.3, end - time.monotonic())))

    def _new_limits(self) -> None:
        self._server.config["limits"]["max_lifetime"] = f"{self._chance.randint(10, 60)}m"
        self._server.write_config()
        os.kill(self._server.launched().pid, signal.SIGHUP)

    def _new_certificate(self) -> None:
        make_certificate(self._ctx, "renewed")

    def _failing_disk(self) -> None:
        with strace.attached(self._ctx, self._server, "ledger", "fdatasync:error=EIO"):
            time.sleep(0.5)  # a few checkpoints

    def _stopped_process(self) -> None:
        os.kill(self._server.launched().pid, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(self._server.launched().pid, signal.SIGCONT)

    def _half_open(self) -> None:
        """Handshakes that nobody finishes, and connections that say nothing or nonsense."""
        for transport, hello in (("tls", HALF_HELLO), ("tcp", b""), ("tcp", b"GET / HTTP/1.0")):
            for _ in range(20):
                with socket.create_connection(
                        ("127.0.0.1", self._server.listener_port(transport))) as client:
                    client.sendall(hello)
