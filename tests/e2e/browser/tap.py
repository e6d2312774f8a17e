"""A UDP proxy between browsers and the relay that keeps every packet: an independent accountant."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import stun

Address = tuple[str, int]

_BUFFER = 4 << 20


@dataclass
class Flow:
    """One client's packets in their order, each with whether the client sent it."""
    packets: list[tuple[bool, bytes]] = field(default_factory=list)

    def username(self) -> str:
        """The name under which the client allocated; "" when it never did."""
        for from_client, data in self.packets:
            if from_client and (message := _message(data)) is not None:
                name = message.get(stun.USERNAME)
                if name is not None:
                    return name.decode()
        return ""

    def payloads(self, from_client: bool) -> Iterator[bytes]:
        """What is inside of ChannelData and of Send or Data indications: what is billed."""
        for sent, data in self.packets:
            if sent != from_client:
                continue
            if 0x40 <= data[0] <= 0x7F:
                length = struct.unpack_from("!H", data, 2)[0]
                yield data[4:4 + length]
                continue
            message = _message(data)
            if (message is not None and message.message_class == stun.INDICATION
                    and (inner := message.get(stun.DATA_ATTRIBUTE)) is not None):
                yield inner


class Tap:
    """Listens at `address`, and passes each client on from a socket of its own."""

    def __init__(self, address: str, server: Address):
        self.flows: dict[Address, Flow] = {}
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._front = self._socket(address)
        self._upstream: dict[Address, socket.socket] = {}
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self.port: int = self._front.getsockname()[1]
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending = True
        self._thread.join()
        for each in (self._front, *self._upstream.values()):
            each.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(0.1):
                try:
                    if key.data is None:
                        self._from_client()
                    else:
                        self._from_server(key.fileobj, key.data)
                except (BlockingIOError, ConnectionRefusedError):
                    continue

    def _from_client(self) -> None:
        data, client = self._front.recvfrom(65536)
        if client not in self._upstream:
            upstream = self._socket(self._front.getsockname()[0])
            upstream.connect(self._server)
            self._selector.register(upstream, selectors.EVENT_READ, client)
            self._upstream[client] = upstream
            self.flows[client] = Flow()
        self.flows[client].packets.append((True, data))
        self._upstream[client].send(data)

    def _from_server(self, upstream: socket.socket, client: Address) -> None:
        data = upstream.recv(65536)
        self.flows[client].packets.append((False, data))
        self._front.sendto(data, client)

    @staticmethod
    def _socket(address: str) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                             socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        made.bind((address, 0))
        made.setblocking(False)
        return made


def _message(data: bytes) -> stun.Message | None:
    try:
        return stun.parse(data, zero_padding=False)
    except ValueError:
        return None
