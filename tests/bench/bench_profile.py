"""Where a server's time goes in a cell: what perf says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bench_cell import Cell
from bench_runs import rate, traffic
from bench_servers import Contender
from harness import Context, Failure

SECONDS = 4.0
SHOWN = 16  # symbols of a profile


def profile(ctx: Context, turnpike: Path, server: Contender, cell: Cell) -> str:
    """Runs the cell once more under perf, and returns a section of the report: the functions that
    took most of the server's time, and how to look further."""
    if shutil.which("perf") is None:
        raise Failure("perf is not installed (Debian's linux-perf)")
    data = ctx.directory / "perf.data"
    running = server.start()
    # Without call graphs: which functions, not who calls them, and the least disturbance.
    recorder = subprocess.Popen(["perf", "record", "-q", "-F", "1999", "-p", str(running.pid),
                                 "-o", str(data)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        traffic(ctx, turnpike, running, cell, rate(cell), SECONDS)
    finally:
        running.stop()  # which ends the recorder too
        try:
            recorder.wait(timeout=20)
        except subprocess.TimeoutExpired:
            recorder.kill()
            recorder.wait()
    told = subprocess.run(["perf", "report", "-i", str(data), "--no-children", "--sort", "dso,symbol",
                           "--stdio", "-g", "none"], capture_output=True, text=True, check=False)
    # Some versions end each line with empty columns.
    lines = [re.sub(r"( +-)+$", "", line.rstrip()) for line in told.stdout.splitlines()
             if line.strip() and not line.startswith("#")]
    if not lines:
        raise Failure(f"perf report says nothing: {told.stderr[-500:]}")
    top = "\n".join(lines[:SHOWN])
    return (f"### {cell.kind} {cell.title()}\n\n```\n{top}\n```\n\n"
            f"More: `perf record -g -p PID` on turnpiked under `turnpike load --transport "
            f"{cell.transport} --sessions {cell.sessions} --size {cell.size} --direction echo --pps "
            f"{rate(cell):.0f}`.\n")
