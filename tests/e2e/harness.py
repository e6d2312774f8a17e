"""What every end-to-end test stands on: a directory, processes, deadlines, free ports."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# What a sanitizer prints when it has found something.
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                   "WARNING: ThreadSanitizer", "runtime error:")


class Failure(Exception):
    """A test found that something is not as it must be."""


class Stalled(Failure):
    """A client came to a stop by its own fault: the run shows nothing and may be made anew."""


class Skipped(Exception):
    """A test cannot run here: what it needs is not installed."""


def check(condition: bool, what: str) -> None:
    """Fails the test with `what` unless `condition` holds."""
    if not condition:
        raise Failure(what)


def check_equal(got: object, want: object, what: str) -> None:
    """Fails the test unless both are equal; the message shows them."""
    if got != want:
        raise Failure(f"{what}: got {got!r}, want {want!r}")


def wait_for(probe: Callable[[], T | None], seconds: float, what: str) -> T:
    """Returns the first true result of `probe`; fails when `seconds` have passed without one."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise Failure(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.01)


# Nobody listens on a port yet that one part of a test was given; it must not be given to another.
_given: set[int] = set()


def free_port(address: str = "127.0.0.1") -> int:
    """Returns a port that no TCP or UDP socket of `address` has at the moment, each only once. It lies
    above those that the kernel gives by itself: a peer of a load test that got the number of a TCP
    listener would be refused as one of the server's own."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        with (socket.socket(family, socket.SOCK_STREAM) as tcp,
              socket.socket(family, socket.SOCK_DGRAM) as udp):
            port = random.randrange(61000, 65536)
            if port in _given:
                continue
            try:
                tcp.bind((address, port))
                udp.bind((address, port))
            except OSError:
                continue
            _given.add(port)
            return port


def free_port_pair() -> int:
    """Returns an even port that, as the next one, nothing else was given: for RTP and RTCP."""
    while True:
        port = free_port() & ~1
        if not {port, port + 1} <= _given:
            _given.update((port, port + 1))
            return port


class Process:
    """A program that runs beside the test; its output goes to files in the test's directory."""

    def __init__(self, argv: Sequence[str | bytes | os.PathLike[str]], directory: Path, name: str,
                 pass_fds: Sequence[int] = ()):
        self.name = name
        self.stdout_path = directory / f"{name}.stdout"
        self.stderr_path = directory / f"{name}.stderr"
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          cwd=directory, pass_fds=pass_fds)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def stdout(self) -> str:
        return self.stdout_path.read_text("utf-8", "backslashreplace")

    def stderr(self) -> str:
        return self.stderr_path.read_text("utf-8", "backslashreplace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def wait(self, seconds: float) -> int:
        """Returns the exit status; fails when the program still runs after `seconds`."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} (pid {self.pid}) still runs after {seconds:g} s") from None

    def ends_within(self, seconds: float) -> bool:
        """Waits so long at most; answers whether the program has ended."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        self.popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the program and waits until the kernel has taken it apart."""
        if self.running():
            self.popen.kill()
        self.popen.wait()


def tool_of(build: Path) -> Path:
    """The `turnpike` that goes with the server of `build`: another build's, where the environment
    names it, since a sanitizer that is after the server's threads need not slow the tools down."""
    return Path(os.environ.get("TURNPIKE_E2E_TOOL") or build / "turnpike").resolve()


class Context:
    """One test's world. `cleanup` ends every process and takes every mount away again."""

    def __init__(self, name: str, build: Path, scale: float):
        self.turnpiked = build / "turnpiked"
        self.turnpike = tool_of(build)
        self.scale = scale
        self.directory = Path(tempfile.mkdtemp(prefix=f"turnpike-e2e-{name}-"))
        self._processes: list[Process] = []
        self._on_cleanup: list[Callable[[], None]] = []

    def scaled(self, count: int, least: int = 1) -> int:
        """Returns `count` for a full run, fewer under a sanitizer, never below `least`."""
        return max(least, round(count * self.scale))

    def spawn(self, argv: Sequence[str | bytes | os.PathLike[str]], name: str,
              pass_fds: Sequence[int] = ()) -> Process:
        process = Process(argv, self.directory, name, pass_fds)
        self._processes.append(process)
        return process

    def on_cleanup(self, action: Callable[[], None]) -> None:
        self._on_cleanup.append(action)

    def cli(self, *arguments: str | bytes | os.PathLike[str], status: int | None = 0
            ) -> subprocess.CompletedProcess[bytes]:
        """Runs `turnpike`; fails unless it exits with `status` (None: with any but 0)."""
        return self.run([self.turnpike, *arguments], status)

    def run(self, argv: Sequence[str | bytes | os.PathLike[str]], status: int | None = 0
            ) -> subprocess.CompletedProcess[bytes]:
        """Runs a program to its end, at most a minute."""
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              cwd=self.directory, check=False)
        shown = " ".join(str(a) for a in argv)
        with open(self.directory / "commands.log", "ab") as log:
            log.write(f"$ {shown}\n".encode() + done.stdout + done.stderr
                      + f"-> {done.returncode}\n".encode())
        expected = done.returncode != 0 if status is None else done.returncode == status
        check(expected, f"`{shown}` exits with {done.returncode}: "
                        f"{done.stderr.decode('utf-8', 'backslashreplace').strip()}")
        check_no_sanitizer(done.stderr.decode("utf-8", "backslashreplace"), shown)
        return done

    def cleanup(self) -> None:
        for process in self._processes:
            process.kill()
        for action in reversed(self._on_cleanup):
            action()
        self._processes.clear()
        self._on_cleanup.clear()

    def check_sanitizers(self) -> None:
        for process in self._processes:
            check_no_sanitizer(process.stderr(), process.name)

    def remove(self) -> None:
        shutil.rmtree(self.directory)


def threads_called(pid: int, name: str) -> list[int]:
    """The ids of a process's threads of that name, in their order: `relay`, `ledger`."""
    return sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()
                  if (task / "comm").read_text().strip() == name)


def thread_wakeups(pid: int) -> list[int]:
    """How often each thread of a process has waited and gone on, as the kernel counts it."""
    counts = []
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = status.read_text().splitlines()
        counts += [int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt")]
    return sorted(counts, reverse=True)


def check_no_sanitizer(stderr: str, name: str) -> None:
    """Fails when a sanitizer has reported something on `stderr`."""
    for mark in SANITIZER_MARKS:
        check(mark not in stderr, f"{name}: {mark}")
