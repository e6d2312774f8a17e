"""Traffic from the tests' own TURN client: sessions of known sizes, in order or from threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from echo_peer import EchoPeer, format_address
from harness import Failure, check_equal
from server import Server
from stun import Address
from turn_client import TurnClient

CHANNEL = 0x4000


class Call:
    """An allocation with a channel to the echo peer; `echo` relays one datagram there and back."""

    def __init__(self, server: Server, peer: EchoPeer, username: bytes, password: bytes,
                 ipv6: bool = False, lifetime: int | None = None):
        self.server: Address = ("::1", server.port6) if ipv6 else ("127.0.0.1", server.port)
        self.client = TurnClient(self.server, username, password)
        self.echoed_bytes = 0
        try:
            self.client.allocate(lifetime)
            self.client.bind(CHANNEL, (self.server[0], peer.port))
        except BaseException:
            self.client.socket.close()
            raise
        self.relayed = format_address(self.client.relayed)

    def echo(self, payload: bytes, count: int = 1) -> None:
        for _ in range(count):
            self.client.send_on_channel(CHANNEL, payload)
            check_equal(self.client.receive(10), (CHANNEL, payload),
                        f"the echo of {len(payload)} bytes")
            self.echoed_bytes += len(payload)

    def release(self) -> None:
        self.client.release()
        self.client.socket.close()

    def abandon(self) -> None:
        self.client.socket.close()


class Callers:
    """Threads that make short calls one after the other until told to stop.

    A server that dies under them is no failure of theirs: a thread then just ends.
    """

    def __init__(self, server: Server, peer: EchoPeer, users: list[tuple[bytes, bytes]]):
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(server, peer, user, i % 2 == 1))
                         for i, user in enumerate(users)]
        for thread in self._threads:
            thread.start()

    def _run(self, server: Server, peer: EchoPeer, user: tuple[bytes, bytes], ipv6: bool) -> None:
        try:
            while not self._stop.is_set():
                call = Call(server, peer, *user, ipv6=ipv6)
                try:
                    for length in range(1, 40):
                        if self._stop.is_set():
                            return
                        call.client.send_on_channel(CHANNEL, b"x" * length * 7)
                        call.client.receive(0.2)
                    call.client.refresh(0)
                finally:
                    call.abandon()
        except (Failure, OSError, ValueError):
            return

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def in_parallel(work: list[Callable[[], None]]) -> None:
    """Runs each in a thread of its own and fails with the first failure."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as failure:  # handed to the caller below
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
