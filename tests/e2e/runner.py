"""Runs tests by name and counts them: what tests/e2e/run and tests/deploy/run share."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import lanes
from harness import Context, Failure, Skipped, Stalled, tool_of

# A client that came to a stop by its own fault shows nothing, so its run is made anew; any other
# failure counts at once.
ATTEMPTS = 3


def run_test(prefix: str, name: str, build: Path, scale: float) -> str:
    """Runs a test until it has not stalled, and returns its word: ok, SKIP or FAIL."""
    for _ in range(ATTEMPTS):
        word = run_once(prefix, name, build, scale)
        if word != "STALL":
            return word
    return "FAIL"


def run_once(prefix: str, name: str, build: Path, scale: float) -> str:
    """Runs a test once, prints its line and returns that line's first word."""
    ctx = Context(name, build, scale)
    started = time.monotonic()
    problem = skipped = ""
    bad = "FAIL"
    try:
        importlib.import_module(f"{prefix}_{name}").run(ctx)
    except Stalled as stall:
        bad, problem = "STALL", str(stall)
    except Failure as failure:
        problem = str(failure)
    except Skipped as reason:
        skipped = str(reason)
    except Exception:  # whatever breaks a test is that test's failure
        problem = traceback.format_exc().strip()
    finally:
        ctx.cleanup()
    try:
        ctx.check_sanitizers()
    except Failure as failure:
        bad, problem = "FAIL", f"{problem}\n{failure}".strip()
    seconds = time.monotonic() - started
    if not problem:
        ctx.remove()
        word = "SKIP" if skipped else "ok"
        print(f"{word:<5} {name:<16} {seconds:6.1f} s  {skipped}".rstrip(), flush=True)
        return word
    print(f"{bad:<5} {name:<16} {seconds:6.1f} s  {ctx.directory}", flush=True)
    print("      " + problem.replace("\n", "\n      "), flush=True)
    return bad


def main(argv: list[str], prefix: str, tests: Sequence[str], default: Sequence[str],
         sociable: Sequence[str] = (), long: Sequence[str] = ()) -> int:
    """Runs the tests that `argv` names, of `tests` in modules PREFIX_NAME; without any, `default`.

    Several of them run side by side if `sociable`, before the others, and those that are `long` beside
    them. Returns the exit status.
    """
    if len(argv) < 2:
        print(f"usage: {argv[0]} BUILD_DIR [TEST | -TEST]...\ntests: {' '.join(tests)}",
              file=sys.stderr)
        return 2
    build = Path(argv[1]).resolve()
    left_out = [name[1:] for name in argv[2:] if name.startswith("-")]
    names = [name for name in argv[2:] if not name.startswith("-")]
    names = names or [name for name in default if name not in left_out]
    unknown = [name for name in names + left_out if name not in tests]
    missing = [p.name for p in (build / "turnpiked", tool_of(build)) if not p.exists()]
    if unknown or missing:
        for name in unknown:
            print(f"no test is called {name}; there are: {' '.join(tests)}", file=sys.stderr)
        for name in missing:
            print(f"{build} has no {name}; build it first", file=sys.stderr)
        return 2
    # A terminated run ends its processes as ^C does, also one that a shell put into the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    scale = float(os.environ.get("TURNPIKE_E2E_SCALE", "1"))
    # A single test is what a lane runs, or what somebody wants to watch.
    several = len(names) > 1
    together = [name for name in names if several and name in sociable]
    beside = [name for name in names if several and name in long]
    alone = [name for name in names if name not in together + beside]
    try:
        results = lanes.run([sys.executable, argv[0], str(build)], together, beside)
        results += [run_test(prefix, name, build, scale) for name in alone]
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if "SKIP" in results:
        print(f"{results.count('SKIP')} skipped")
    print(f"{results.count('ok')} passed, {results.count('FAIL')} failed")
    return 1 if "FAIL" in results else 0
