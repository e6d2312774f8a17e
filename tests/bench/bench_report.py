"""The result of compare: tables of medians and ratios beside the goals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench_cell import Cell
from bench_runs import CHURN, FIXED, GENERATOR_PPS, Sample

REFERENCE = "coturn"
OWN = "turnpiked"
FLOOR = "forwarder"
UNMETERED = "unmetered"
TWO_WORKERS = "two-workers"

# The most CPU that turnpiked may use per relayed packet, coturn's in the same run being 1.
CPU_GOALS = {
    ("saturated", "udp", 160): {1: 0.70, 100: 0.85, 1000: 0.70, 5000: 0.65},
    ("saturated", "udp", 1200): {1: 0.65, 100: 0.85, 1000: 0.70},
    ("fixed", "udp", 160): {1: 0.85, 100: 0.85, 1000: 0.80, 5000: 0.85},
    ("saturated", "tcp", 160): {1: 0.80, 100: 0.80},
    ("saturated", "tcp", 1200): {1: 0.80, 100: 0.80},
    ("saturated", "tls", 160): {1: 0.80, 100: 0.80},
    ("saturated", "tls", 1200): {1: 0.80, 100: 0.80},
}
FLOOR_GOAL = 1.15  # CPU per packet, the bare forwarder's being 1
LATENCY_GOAL = 1.00  # p99 at the fixed rate, coturn's being 1
CHURN_GOAL = 2.00  # allocations per second, coturn's being 1
MEMORY_GOAL = 2048  # bytes per idle allocation
METERING_GOAL = 1.02  # CPU per packet with metering, that of a build without being 1
WORKERS_GOAL = 1.70  # what two workers relay when cores are free, one's being 1
GENERATOR_GOAL = 0.60  # the generator's CPU per packet, the server's being 1

Results = dict[Cell, dict[str, list[Sample]]]


def values(results: Results, cell: Cell, server: str, name: str) -> list[float]:
    return [s.values[name] for s in results.get(cell, {}).get(server, []) if name in s.values]


def median(numbers: Sequence[float]) -> float | None:
    return statistics.median(numbers) if numbers else None


def ratio(results: Results, cell: Cell, server: str, base: str, name: str) -> float | None:
    """The median of the rounds' ratios: what disturbs a round disturbs both of its runs."""
    pairs = zip(values(results, cell, server, name), values(results, cell, base, name))
    return median([a / b for a, b in pairs if b > 0])


def shown(number: float | None, form: str = "{:.2f}") -> str:
    return "–" if number is None else form.format(number)


def verdict(reached: float | None, goal: float | None, at_least: bool = False) -> str:
    if goal is None or reached is None:
        return ""
    good = reached >= goal if at_least else reached <= goal
    return "met" if good else "**missed**"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cells_of(results: Results, kind: str) -> list[Cell]:
    return [cell for cell in results if cell.kind == kind]


def cpu_table(results: Results, kind: str, servers: Sequence[str]) -> str:
    rows = []
    others = [s for s in servers if s not in (REFERENCE, OWN, FLOOR, UNMETERED, TWO_WORKERS)]
    for cell in cells_of(results, kind):
        goal = CPU_GOALS.get((kind, cell.transport, cell.size), {}).get(cell.sessions)
        to_coturn = ratio(results, cell, OWN, REFERENCE, "cpu_us")
        to_floor = ratio(results, cell, OWN, FLOOR, "cpu_us")
        row = [cell.title()]
        row += [shown(median(values(results, cell, s, "cpu_us"))) for s in (REFERENCE, OWN, FLOOR)]
        row += [shown(to_coturn), "" if goal is None else f"≤ {goal:.2f}",
                verdict(to_coturn, goal), shown(to_floor),
                verdict(to_floor, FLOOR_GOAL)]
        row.append(shown(median(values(results, cell, OWN, "train")), "{:.1f}"))
        row += [shown(ratio(results, cell, s, OWN, "cpu_us")) for s in others]
        rows.append(row)
    header = ["cell", "coturn µs", "turnpiked µs", "forwarder µs", "to coturn", "goal", "",
              "to forwarder", f"≤ {FLOOR_GOAL}", "packets a send"]
    return table(header + [f"{s} to turnpiked" for s in others], rows)


def metering_table(results: Results) -> str:
    rows = []
    for cell in cells_of(results, "saturated"):
        reached = ratio(results, cell, OWN, UNMETERED, "cpu_us")
        row = [cell.title()]
        row += [shown(median(values(results, cell, s, "cpu_us")), "{:.3f}")
                for s in (OWN, UNMETERED)]
        rows.append(row + [shown(reached, "{:.3f}"), verdict(reached, METERING_GOAL)])
    return table(["cell", "turnpiked µs", "unmetered µs", "ratio", f"≤ {METERING_GOAL}"], rows)


def compared_table(results: Results, kind: str, name: str, unit: str, form: str,
                   goal: float | None, at_least: bool = False) -> str:
    rows = []
    for cell in cells_of(results, kind):
        reached = ratio(results, cell, OWN, REFERENCE, name)
        row = [cell.title()]
        row += [shown(median(values(results, cell, s, name)), form) for s in (REFERENCE, OWN)]
        row += [shown(reached), verdict(reached, goal, at_least)]
        rows.append(row)
    sign = "" if goal is None else f"{'≥' if at_least else '≤'} {goal:.2f}"
    return table(["cell", f"coturn {unit}", f"turnpiked {unit}", "ratio", sign], rows)


def memory_table(results: Results) -> str:
    rows = []
    for cell in cells_of(results, "memory"):
        own = median(values(results, cell, OWN, "bytes"))
        rows.append([f"{cell.sessions:,} idle allocations",
                     shown(median(values(results, cell, REFERENCE, "bytes")), "{:,.0f}"),
                     shown(own, "{:,.0f}"), verdict(own, MEMORY_GOAL)])
    return table(["", "coturn bytes", "turnpiked bytes", f"≤ {MEMORY_GOAL:,}"], rows)


def generator_table(results: Results) -> str:
    rows = []
    for cell in cells_of(results, "generator"):
        pairs = zip(values(results, cell, OWN, "generator_cpu_us"),
                    values(results, cell, OWN, "cpu_us"))
        reached = median([own / server for own, server in pairs if server > 0])
        rows.append([cell.title()] +
                    [shown(median(values(results, cell, OWN, name)))
                     for name in ("generator_cpu_us", "cpu_us")] +
                    [shown(reached), verdict(reached, GENERATOR_GOAL)] +
                    [shown(median(values(results, cell, OWN, name)), "{:,.0f}")
                     for name in ("lateness_p99_us", "own_loss")])
    return table(["cell", "generator µs", "turnpiked µs", "ratio", f"≤ {GENERATOR_GOAL:.2f}",
                  "late p99 µs", "lost by the generator"], rows)


def workers_table(results: Results) -> str:
    rows = []
    for cell in cells_of(results, "workers"):
        dearer = ratio(results, cell, TWO_WORKERS, OWN, "cpu_us")
        reached = 2 / dearer if dearer else None
        rows.append([cell.title()] +
                    [shown(median(values(results, cell, s, "cpu_us"))) for s in (OWN, TWO_WORKERS)] +
                    [shown(reached), verdict(reached, WORKERS_GOAL, at_least=True)])
    return table(["cell", "one worker µs", "two workers µs", "two relay, one being 1",
                  f"≥ {WORKERS_GOAL:.2f}"], rows)


def missed(results: Results) -> list[Cell]:
    """The cells whose CPU goals turnpiked misses: those that a profile should explain."""
    found = []
    for kind in ("saturated", "fixed"):
        for cell in cells_of(results, kind):
            goal = CPU_GOALS.get((kind, cell.transport, cell.size), {}).get(cell.sessions)
            to_coturn = ratio(results, cell, OWN, REFERENCE, "cpu_us")
            to_floor = ratio(results, cell, OWN, FLOOR, "cpu_us")
            if "missed" in verdict(to_coturn, goal) + verdict(to_floor, FLOOR_GOAL):
                found.append(cell)
    return found


def rounds_of(results: Results) -> str:
    """How many rounds the medians are of."""
    counts = [len(samples) for servers in results.values() for samples in servers.values()]
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def report(results: Results, servers: Sequence[str], preamble: str,
           profiles: Sequence[str] = ()) -> str:
    """The whole text of RESULTS.md."""
    parts = ["# What tests/bench/compare measured\n", preamble]
    sections = [
        ("saturated", "CPU per relayed packet, server saturated",
         lambda: cpu_table(results, "saturated", servers)),
        ("saturated", "Relayed packets per second, server saturated",
         lambda: compared_table(results, "saturated", "pps", "1/s", "{:,.0f}", None)),
        ("fixed", f"CPU per relayed packet at a fixed rate (udp {FIXED['udp']:,}/s, "
                  f"streams {FIXED['tcp']:,}/s)", lambda: cpu_table(results, "fixed", servers)),
        ("fixed", "p99 of the round trip at that rate",
         lambda: compared_table(results, "fixed", "p99_us", "µs", "{:,.0f}", LATENCY_GOAL)),
        ("limit", "Highest rate with at most 0.1 % lost, relayed packets per second",
         lambda: compared_table(results, "limit", "max_pps", "1/s", "{:,.0f}", None)),
        ("churn", f"Allocations per second of CPU ({CHURN} sessions a second come and go: 401, "
                  "Allocate, ChannelBind, release)",
         lambda: compared_table(results, "churn", "per_cpu_second", "1/s", "{:,.0f}", CHURN_GOAL,
                                at_least=True)),
        ("memory", "Resident memory per idle allocation",
         lambda: memory_table(results)),
        ("generator", f"CPU of the generator per packet, {GENERATOR_PPS:,} packets/s going up",
         lambda: generator_table(results)),
        ("workers", "CPU per relayed packet of two workers, saturated, and what they would relay with "
                    "a core for each", lambda: workers_table(results)),
    ]
    for kind, title, make in sections:
        if cells_of(results, kind):
            parts.append(f"## {title}\n\n{make()}")
    if UNMETERED in servers and cells_of(results, "saturated"):
        parts.append("## CPU per relayed packet with metering and without\n\n" +
                     metering_table(results))
    if profiles:
        parts.append("## Where turnpiked's time goes in cells that missed their goal\n")
        parts += profiles
    return "\n".join(parts)
