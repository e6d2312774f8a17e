"""Runs tests side by side, each in a network namespace of its own, so that no two meet at a port."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence

LANES = 3
_WORDS = ("ok", "SKIP", "STALL", "FAIL")


def run(argv: Sequence[str], names: Sequence[str], long: Sequence[str] = ()) -> list[str]:
    """Runs `argv` with each of the names, LANES at a time, and beside them those of `long`, each of
    which mostly waits. Prints what a run prints about its test, and returns the tests' words. Needs
    root."""
    queues = [[name] for name in long] + [list(reversed(names))] * LANES
    results: list[str] = []
    running: set[subprocess.Popen[str]] = set()
    lock = threading.Lock()

    def lane(waiting: list[str]) -> None:
        while True:
            with lock:
                if not waiting:
                    return
                name = waiting.pop()
                process = subprocess.Popen(
                    ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                     *argv, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
                running.add(process)
            output = process.communicate()[0]
            with lock:
                running.remove(process)
                lines = output.splitlines()[:-1]  # the last line counts this one test
                print("\n".join(lines), flush=True)
                words = [line.split()[0] for line in lines if line.startswith(_WORDS)]
                results.append(words[-1] if words and process.returncode in (0, 1) else "FAIL")

    threads = [threading.Thread(target=lane, args=(queue,), daemon=True) for queue in queues]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        with lock:
            for queue in queues:
                queue.clear()
            for process in running:
                process.terminate()
        for thread in threads:
            thread.join(20)
        raise
    return results
