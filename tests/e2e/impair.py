"""A UDP proxy before the relay that loses, delays and reorders, alike in every run: the kernels
that the tests run on lack netem."""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import threading
import time

Address = tuple[str, int]


class Impairment:
    """What becomes of the packets of one direction; times in milliseconds, the rest are shares."""

    def __init__(self, loss: float = 0, delay: float = 0, jitter: float = 0, reorder: float = 0):
        self.loss = loss
        self.delay = delay
        self.jitter = jitter    # a uniform delay up to so much is added; order is kept
        self.reorder = reorder  # packets that wait no delay, and so overtake others


class ImpairingProxy:
    """Listens at `address`, and passes each client on to `server` from a socket of its own.

    The n-th packet of each client in each direction has the same fate whenever `seed` is the same.
    """

    def __init__(self, address: str, server: Address, up: Impairment,
                 down: Impairment | None = None, seed: int = 1):
        self._server = server
        self._impairments = {"up": up, "down": down or Impairment()}
        self._seed = seed
        self._selector = selectors.DefaultSelector()
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((address, 0))
        self._front.setblocking(False)
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self.port: int = self._front.getsockname()[1]
        self._upstream: dict[Address, socket.socket] = {}
        self._dice: dict[tuple[str, int], random.Random] = {}
        self._last: dict[tuple[str, int], float] = {}
        # When, a number that keeps the order of equals, the socket, the data, to whom (None: up).
        self._waiting: list[tuple[float, int, socket.socket, bytes, Address | None]] = []
        self._count = 0
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending = True
        self._thread.join()
        for each in (self._front, *self._upstream.values()):
            each.close()

    def _run(self) -> None:
        while not self._ending:
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, sender, data, to = heapq.heappop(self._waiting)
                self._send(sender, data, to)
            wait = self._waiting[0][0] - now if self._waiting else 0.05
            for key, _ in self._selector.select(min(wait, 0.05)):
                self._receive(key.fileobj, key.data)

    def _receive(self, source: socket.socket, client: Address | None) -> None:
        while True:
            try:
                data, sender = source.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if client is None:
                self._schedule("up", sender, self._socket_of(sender), data, None)
            else:
                self._schedule("down", client, self._front, data, client)

    def _socket_of(self, client: Address) -> socket.socket:
        if client not in self._upstream:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(self._server)
            made.setblocking(False)
            self._upstream[client] = made
            self._selector.register(made, selectors.EVENT_READ, client)
        return self._upstream[client]

    def _schedule(self, direction: str, client: Address, sender: socket.socket, data: bytes,
                  to: Address | None) -> None:
        fate = self._impairments[direction]
        flow = (direction, list(self._upstream).index(client))
        dice = self._dice.setdefault(flow, random.Random(f"{self._seed} {flow}"))
        lost, overtakes, jitter = dice.random(), dice.random(), dice.random()
        if lost < fate.loss:
            return
        due = time.monotonic()
        if overtakes >= fate.reorder:
            due = max(due + (fate.delay + jitter * fate.jitter) / 1000, self._last.get(flow, 0))
            self._last[flow] = due
        self._count += 1
        heapq.heappush(self._waiting, (due, self._count, sender, data, to))

    @staticmethod
    def _send(sender: socket.socket, data: bytes, to: Address | None) -> None:
        try:
            if to is None:
                sender.send(data)
            else:
                sender.sendto(data, to)
        except (BlockingIOError, ConnectionRefusedError):
            pass
