"""The tests' TURN client over TCP, for TCP allocations (RFC 6062)."""

from __future__ import annotations

import socket
import struct
import time

import stun
from harness import Failure, check_equal
from server import Server
from stun import Address, Message
from turn_client import TurnClient

TCP = 6


class TcpTurnClient(TurnClient):
    """One control connection; `bind_data` opens another connection for each peer."""

    def __init__(self, server: Server, username: bytes, password: bytes):
        super().__init__(("127.0.0.1", server.listener_port("tcp")), username, password)
        self.socket.close()
        self.socket = socket.create_connection(self.server)
        self._buffer = b""
        self._attempts: list[Message] = []

    def allocate(self) -> Message:
        request = Message(stun.ALLOCATE, stun.REQUEST)
        request.add(stun.REQUESTED_TRANSPORT, struct.pack("!I", TCP << 24))
        answer = self.ask_authenticated(request)
        check_equal(answer.error, 0, "Allocate for TCP: error")
        self.relayed = answer.address(stun.XOR_RELAYED_ADDRESS)
        return answer

    def connect_peer(self, peer: Address) -> bytes:
        """Answers the CONNECTION-ID."""
        answer = self.try_connect_peer(peer)
        check_equal(answer.error, 0, "Connect: error")
        return answer.get(stun.CONNECTION_ID) or b""

    def try_connect_peer(self, peer: Address) -> Message:
        request = Message(stun.CONNECT, stun.REQUEST)
        request.add_address(stun.XOR_PEER_ADDRESS, peer)
        return self.ask_authenticated(request)

    def await_attempt(self, seconds: float = 10) -> tuple[Address, bytes]:
        """Waits for a ConnectionAttempt; answers the peer and the CONNECTION-ID."""
        deadline = time.monotonic() + seconds
        while not self._attempts:
            data = self.receive_raw(deadline - time.monotonic())
            if data is None:
                raise Failure("no ConnectionAttempt came")
            self._keep_payload(data)
        attempt = self._attempts.pop(0)
        return attempt.address(stun.XOR_PEER_ADDRESS), attempt.get(stun.CONNECTION_ID) or b""

    def bind_data(self, connection: bytes) -> socket.socket:
        """Opens a data connection: what goes over it from here on is the peer's."""
        data = TcpTurnClient.__new__(TcpTurnClient)
        data.__dict__.update(self.__dict__, socket=socket.create_connection(self.server),
                             _buffer=b"", statistics=dict(self.statistics))
        request = Message(stun.CONNECTION_BIND, stun.REQUEST).add(stun.CONNECTION_ID, connection)
        check_equal(data.ask_authenticated(request).error, 0, "ConnectionBind: error")
        check_equal(data._buffer, b"", "data before it was asked for")
        data.socket.settimeout(20)
        return data.socket

    def receive_raw(self, seconds: float) -> bytes | None:
        """The next whole message, and not a byte of what follows."""
        deadline = time.monotonic() + seconds
        while len(self._buffer) < 20 or len(self._buffer) < 20 + self._length():
            missing = 20 - len(self._buffer) if len(self._buffer) < 20 else \
                20 + self._length() - len(self._buffer)
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                got = self.socket.recv(missing)
            except TimeoutError:
                return None
            if not got:
                raise Failure("the server closed the connection")
            self._buffer += got
        message, self._buffer = self._buffer, b""
        return message

    def _length(self) -> int:
        return struct.unpack_from("!H", self._buffer, 2)[0]

    def _keep_payload(self, data: bytes) -> bool:
        message = stun.parse(data)
        if message.method != stun.CONNECTION_ATTEMPT:
            return False
        self._attempts.append(message)
        return True
