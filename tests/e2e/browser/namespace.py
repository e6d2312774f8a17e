"""A network namespace for one test: loopback, and one interface whose address the relay has.

Browsers offer no candidates from loopback, and a relay must not need its loopback rule lifted for
two clients that meet at its own addresses. So both stand on an interface that leads nowhere.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from harness import Context

ADDRESS = "10.77.0.1"
ADDRESS6 = "fd77::1"

_CLONE_NEWNET = 0x40000000


def enter(ctx: Context) -> None:
    """Moves the calling thread, and all that it starts from now on, until the test's cleanup."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def leave() -> None:
        _checked(libc.setns(home, _CLONE_NEWNET))
        os.close(home)

    _checked(libc.unshare(_CLONE_NEWNET))
    ctx.on_cleanup(leave)
    # Without a default route a browser finds no address of its own.
    for command in ("link set lo up", "link add turn0 type veth peer name turn1",
                    "link set turn0 up", "link set turn1 up",
                    f"addr add {ADDRESS}/24 dev turn0", f"addr add {ADDRESS6}/64 dev turn0 nodad",
                    "route add default dev turn0", "-6 route add default dev turn0"):
        ctx.run(["ip", *command.split()])


@contextmanager
def inside(path: str) -> Iterator[None]:
    """Has the calling thread make its sockets in the namespace at `path`, for the time of a `with`."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    try:
        _checked(libc.setns(there, _CLONE_NEWNET))
        yield
        _checked(libc.setns(home, _CLONE_NEWNET))
    finally:
        os.close(home)
        os.close(there)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
