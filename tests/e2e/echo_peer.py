"""A UDP peer that echoes and counts per source: a witness that shares no code with the server."""

from __future__ import annotations

import select
import socket
import threading
from collections import defaultdict
from dataclasses import dataclass


@dataclass
class Counts:
    """What came from one transport address, and what went back to it."""
    received_packets: int = 0
    received_bytes: int = 0
    sent_packets: int = 0
    sent_bytes: int = 0


class EchoPeer:
    """Echoes on 127.0.0.1 and ::1, each with a pair of ports: the even one and the next."""

    def __init__(self, echo: bool = True):
        self.echo = echo
        self.counts: dict[str, Counts] = defaultdict(Counts)
        self.failed_sends = 0
        self.port, self._sockets = self._open()
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    @staticmethod
    def _open() -> tuple[int, list[socket.socket]]:
        """Finds a port that is free, with the next one, in both families."""
        while True:
            opened: list[socket.socket] = []
            try:
                first = _bind("127.0.0.1", 0)
                opened.append(first)
                port = int(first.getsockname()[1])
                opened.append(_bind("127.0.0.1", port + 1))
                opened += [_bind("::1", port), _bind("::1", port + 1)]
                return port, opened
            except (OSError, OverflowError):
                for s in opened:
                    s.close()

    def _loop(self) -> None:
        while True:
            readable, _, _ = select.select([*self._sockets, self._stop_reader], [], [])
            if self._stop_reader in readable:
                return
            for s in readable:
                self._drain(s)

    def _drain(self, s: socket.socket) -> None:
        for _ in range(256):
            try:
                data, source = s.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier send
            counts = self.counts[format_address(source)]
            counts.received_packets += 1
            counts.received_bytes += len(data)
            if self.echo:
                self._send(s, data, source, counts)

    def _send(self, s: socket.socket, data: bytes, to: tuple, counts: Counts) -> None:
        try:
            s.sendto(data, to)
            counts.sent_packets += 1
            counts.sent_bytes += len(data)
        except OSError:
            self.failed_sends += 1

    def close(self) -> None:
        """Stops the thread; the counts stay."""
        self._stop_writer.send(b"x")
        self._thread.join()
        for s in [*self._sockets, self._stop_reader, self._stop_writer]:
            s.close()


def _bind(address: str, port: int) -> socket.socket:
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((address, port))
    except BaseException:
        s.close()
        raise
    s.setblocking(False)
    return s


def format_address(address: tuple) -> str:
    """Renders a transport address as the reports do: 127.0.0.1:5 or [::1]:5."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
