"""Faults in the middle of system calls: strace attached to one thread of the server."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import Context, Process, Skipped, threads_called, wait_for
from server import Server


def thread(server: Server, name: str) -> int:
    """The id of the server's first thread of that name: `relay` or `ledger`."""
    return wait_for(lambda: threads_called(server.launched().pid, name), 10,
                    f"a thread called {name}")[0]


def attach(ctx: Context, server: Server, name: str, *faults: str) -> Process:
    """Injects `faults` (strace's `inject=` less that word) into one thread from now on."""
    if shutil.which("strace") is None:
        raise Skipped("strace is not installed")
    calls = ",".join(fault.split(":")[0] for fault in faults)
    process = ctx.spawn(["strace", "-q", "-o", "/dev/null", "-e", f"trace={calls}",
                         *(word for fault in faults for word in ("-e", f"inject={fault}")),
                         "-p", str(tid := thread(server, name))], "strace")

    def traced() -> bool:
        try:
            status = Path(f"/proc/{tid}/status").read_text()
        except FileNotFoundError:
            return True  # the fault has ended it already
        return "TracerPid:\t0\n" not in status
    wait_for(traced, 10, "strace to attach")
    return process


@contextmanager
def attached(ctx: Context, server: Server, name: str, *faults: str) -> Iterator[None]:
    """The same for the time of a `with`."""
    process = attach(ctx, server, name, *faults)
    try:
        yield
    finally:
        process.popen.send_signal(signal.SIGINT)
        process.wait(20)
