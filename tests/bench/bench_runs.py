"""One run of `turnpike load` against one server, and what it tells."""

from __future__ import annotations

import json
import math
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_cell import Cell
from bench_servers import PASSWORD, USERNAME, Running
from harness import Context, Failure

# Client packets per second that no server here keeps up with on one core; the peers echo, so twice
# as many are to be relayed. By transport and sessions.
PRESSURE = {
    "udp": {1: 800_000, 100: 400_000, 1000: 250_000, 5000: 200_000},
    "tcp": {1: 400_000, 100: 250_000, 1000: 200_000, 5000: 150_000},
    "tls": {1: 400_000, 100: 250_000, 1000: 200_000, 5000: 150_000},
}
# Relayed packets per second of the runs at a fixed rate.
FIXED = {"udp": 50_000, "tcp": 20_000, "tls": 20_000}
CHURN = 400  # sessions a second
IDLE = 10_000  # allocations whose memory is measured
NO_LOSS = 0.001
GENERATOR_PPS = 20_000  # of the run that holds the generator's CPU against the server's
LONGEST_TRAIN = 64  # what the kernel sends as one at most


@dataclass
class Sample:
    """What one run of a cell measured; which of the numbers count, the cell's kind says."""

    values: dict[str, float] = field(default_factory=dict)


def load(ctx: Context, turnpike: Path, server: Running, cell: Cell, arguments: list[str],
         seconds: float, watch: Any = None, direction: str = "echo") -> dict[str, Any]:
    """Runs `turnpike load` and returns its JSON. `watch` is called again and again meanwhile."""
    out = ctx.directory / "load.json"
    out.unlink(missing_ok=True)
    argv = [str(turnpike), "load", "--server", f"127.0.0.1:{server.port}",
            "--tls-port", str(server.tls_port), "--user", USERNAME, "--password", PASSWORD,
            "--transport", cell.transport, "--sessions", str(cell.sessions),
            "--size", str(cell.size), "--direction", direction, "--duration", f"{seconds * 1000:.0f}ms",
            "--patience", "30s", "--server-pid", str(server.pid), "--json", str(out), *arguments]
    with open(ctx.directory / "load.log", "wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + seconds + 90
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise Failure(f"the generator hangs: {' '.join(argv)}")
                if watch is not None:
                    watch()
                time.sleep(0.05)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if not out.exists():
        raise Failure(f"{' '.join(argv)} says: {(ctx.directory / 'load.log').read_text()[-2000:]}")
    result: dict[str, Any] = json.loads(out.read_text())
    if result["error"]:
        raise Failure(f"{cell.title()}: {result['error']} {result['failures']}")
    return result


def relayed(result: dict[str, Any]) -> float:
    """Packets that the server relayed: what arrived, and what arrived at full receive buffers of
    the generator."""
    unsent = sum(result[way]["unsent_packets"] for way in ("client_to_peer", "peer_to_client"))
    return float(result["relayed_packets"] + result["generator_lost_packets"] - unsent)


def train(cell: Cell, pps: float) -> int:
    """The packets of a session that one tick of 1 ms has at that rate: what leaves together when
    the generator is in time. Without the bound a generator that is late would send longer trains,
    and those favour a server that takes trains whole."""
    return min(LONGEST_TRAIN, max(1, math.ceil(pps / 1000 / cell.sessions)))


def traffic(ctx: Context, turnpike: Path, server: Running, cell: Cell, pps: float,
            seconds: float, watch: Any = None) -> Sample:
    """Echoed packets at `pps` from the clients."""
    result = load(ctx, turnpike, server, cell,
                  ["--pps", f"{pps:.0f}", "--train", str(train(cell, pps))], seconds, watch)
    packets = relayed(result)
    if packets == 0:
        raise Failure(f"{cell.title()}: nothing was relayed: {result['failures']}")
    return Sample({
        "cpu_us": 1e6 * result["server_process"]["cpu_seconds"] / packets,
        "generator_cpu_us": 1e6 * result["generator"]["cpu_seconds"] / packets,
        "pps": packets / result["seconds"],
        "loss": result["loss"],
        "own_loss": float(result["generator_lost_packets"]),
        "p99_us": result["latency_us"]["p99"],
        "train": result["packets_per_train"],
        "failed": float(result["failed_sessions"]),
    })


def rate(cell: Cell) -> float:
    """Client packets per second of a saturated or fixed cell."""
    if cell.kind == "fixed":
        return FIXED[cell.transport] / 2
    pressure = PRESSURE[cell.transport]
    return pressure[min(pressure, key=lambda n: abs(n - cell.sessions))]


def run_cell(ctx: Context, turnpike: Path, server: Running, cell: Cell, seconds: float) -> Sample:
    """Measures one cell once."""
    if cell.kind == "limit":
        return find_limit(ctx, turnpike, server, cell, seconds)
    if cell.kind == "churn":
        return churn(ctx, turnpike, server, cell, seconds)
    if cell.kind == "memory":
        return memory(ctx, turnpike, server, cell)
    if cell.kind == "generator":
        return generator(ctx, turnpike, server, cell, seconds)
    return traffic(ctx, turnpike, server, cell, rate(cell), seconds)


def find_limit(ctx: Context, turnpike: Path, server: Running, cell: Cell,
               seconds: float) -> Sample:
    """The highest rate at which at most one packet in a thousand is lost, to 10 %: down from a
    rate that is too much."""
    pps = PRESSURE[cell.transport][cell.sessions]
    while pps > 1000:
        sample = traffic(ctx, turnpike, server, cell, pps, min(seconds, 2))
        if sample.values["loss"] <= NO_LOSS and sample.values["failed"] == 0:
            return Sample({"max_pps": sample.values["pps"]})
        # No more than what came through can come through without loss.
        pps = int(min(0.9 * pps, max(sample.values["pps"] / 2, 0.5 * pps)))
    return Sample({"max_pps": 0.0})


def generator(ctx: Context, turnpike: Path, server: Running, cell: Cell,
              seconds: float) -> Sample:
    """The generator's own CPU beside the server's, packets going up only."""
    result = load(ctx, turnpike, server, cell, ["--pps", str(GENERATOR_PPS)], seconds,
                  direction="up")
    packets = relayed(result)
    return Sample({
        "cpu_us": 1e6 * result["server_process"]["cpu_seconds"] / packets,
        "generator_cpu_us": 1e6 * result["generator"]["cpu_seconds"] / packets,
        "lateness_p99_us": result["lateness_us"]["p99"],
        "own_loss": float(result["generator_lost_packets"]),
    })


def churn(ctx: Context, turnpike: Path, server: Running, cell: Cell, seconds: float) -> Sample:
    """Sessions that come and go: each is a 401, an Allocate, a ChannelBind and a release."""
    before = server.cpu_seconds()
    result = load(ctx, turnpike, server, cell,
                  ["--pps", "200", "--settle", "50ms", "--churn", str(CHURN)], seconds)
    made = result["sessions"] - result["failed_sessions"]
    if made <= cell.sessions:
        raise Failure(f"churn: no session was replaced: {result['failures']}")
    cpu = server.cpu_seconds() - before
    return Sample({"per_cpu_second": made / cpu, "failed": float(result["failed_sessions"])})


def memory(ctx: Context, turnpike: Path, server: Running, cell: Cell) -> Sample:
    """What idle allocations add to the server's resident memory, the shared kind included: the
    most that was seen until they end, which is work again."""
    before = peak = server.resident_bytes()
    ramp, seconds = cell.sessions / 2000, 6
    end = time.monotonic() + ramp + seconds

    def watch() -> None:
        nonlocal peak
        if time.monotonic() < end:
            peak = max(peak, server.resident_bytes())

    result = load(ctx, turnpike, server, cell, ["--pps", "1", "--ramp", f"{1000 * ramp:.0f}ms"], seconds,
                  watch)
    made = result["sessions"] - result["failed_sessions"]
    return Sample({"bytes": (peak - before) / made, "failed": float(result["failed_sessions"])})
