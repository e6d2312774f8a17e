"""The small TURN client over TCP or TLS: RFC 8656 §12.5 framing."""

from __future__ import annotations

import socket
import ssl
import struct
import time

from stun import Address
from turn_client import TurnClient


class StreamClient(TurnClient):
    """One connection. `receive_buffer` is what its kernel holds for a client that does not read."""

    def __init__(self, server: Address, username: bytes = b"", password: bytes = b"",
                 tls: bool = False, receive_buffer: int = 0):
        super().__init__(server, username, password)
        family = self.socket.family
        self.socket.close()
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(server)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self._stream = b""

    def send_on_channel(self, number: int, payload: bytes, padding: bytes = b"") -> None:
        super().send_on_channel(number, payload, padding or bytes(-len(payload) % 4))

    def receive_raw(self, seconds: float) -> bytes | None:
        """The next whole message, its padding taken off; None when none comes, or no more."""
        deadline = time.monotonic() + seconds
        while True:
            message = self._cut()
            left = deadline - time.monotonic()
            if message is not None or left <= 0:
                return message
            self.socket.settimeout(left)
            try:
                got = self.socket.recv(65536)
            except (TimeoutError, ConnectionResetError):
                return None
            if not got:
                return None
            self._stream += got

    def _cut(self) -> bytes | None:
        if len(self._stream) < 4:
            return None
        length = struct.unpack_from("!H", self._stream, 2)[0]
        is_channel_data = self._stream[0] >= 0x40
        size = length + (4 if is_channel_data else 20)
        if len(self._stream) < size + -size % 4:
            return None
        message, self._stream = self._stream[:size], self._stream[size + -size % 4:]
        return message


class OneByOne:
    """A socket that sends each byte by itself."""

    def __init__(self, inner: socket.socket):
        self._inner = inner

    def send(self, data: bytes) -> int:
        for byte in data:
            self._inner.sendall(bytes([byte]))
        return len(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)
