"""A small TURN client over UDP: the long-term credential mechanism of RFC 8489, and RFC 8656."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType

import stun
from harness import Failure, check, check_equal
from stun import Address, Message


class TurnClient:
    """One 5-tuple. Every method that asks waits for the answer and returns it."""

    RETRANSMIT_SECONDS = 0.5
    ATTEMPTS = 12

    def __init__(self, server: Address, username: bytes = b"", password: bytes = b""):
        self.server = server
        self.username = username
        self.password = password
        self.realm = b""
        self.nonce = b""
        self.key: bytes | None = None
        self.fingerprint = False
        self.relayed: Address = ("", 0)
        self.mapped: Address = ("", 0)
        self.statistics = {"requests": 0, "retransmissions": 0}
        self._data: list[tuple[Address | int, bytes]] = []
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.connect(server)

    def __enter__(self) -> "TurnClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.socket.close()

    @property
    def address(self) -> Address:
        name = self.socket.getsockname()
        return name[0], name[1]

    # Requests.

    def binding(self) -> Address:
        """Asks for the server-reflexive transport address."""
        return self.ask(Message(stun.BINDING, stun.REQUEST)).address(stun.XOR_MAPPED_ADDRESS)

    def allocate(self, lifetime: int | None = None, even_port: int | None = None,
                 token: bytes | None = None, family: int | None = None) -> Message:
        """Allocates, through the 401 on the way; fails on any other error."""
        answer = self.try_allocate(lifetime, even_port, token, family)
        check_equal(answer.error, 0, "Allocate: error")
        return answer

    def try_allocate(self, lifetime: int | None = None, even_port: int | None = None,
                     token: bytes | None = None, family: int | None = None) -> Message:
        request = Message(stun.ALLOCATE, stun.REQUEST)
        request.add(stun.REQUESTED_TRANSPORT, struct.pack("!I", 17 << 24))
        if family is None and ":" in self.server[0]:
            family = stun.FAMILY_IPV6
        if family is not None and token is None:
            request.add(stun.REQUESTED_FAMILY, struct.pack("!I", family << 24))
        if lifetime is not None:
            request.add(stun.LIFETIME, struct.pack("!I", lifetime))
        if even_port is not None:
            request.add(stun.EVEN_PORT, bytes([even_port]))
        if token is not None:
            request.add(stun.RESERVATION_TOKEN, token)
        answer = self.ask_authenticated(request)
        if answer.message_class == stun.SUCCESS:
            self.relayed = answer.address(stun.XOR_RELAYED_ADDRESS)
            self.mapped = answer.address(stun.XOR_MAPPED_ADDRESS)
        return answer

    def permit(self, *peers: Address) -> None:
        request = Message(stun.CREATE_PERMISSION, stun.REQUEST)
        for peer in peers:
            request.add_address(stun.XOR_PEER_ADDRESS, peer)
        check_equal(self.ask_authenticated(request).error, 0, "CreatePermission: error")

    def bind(self, number: int, peer: Address) -> None:
        check_equal(self.try_bind(number, peer), 0, "ChannelBind: error")

    def try_bind(self, number: int, peer: Address) -> int:
        """Answers the error code; 0 when the channel is bound."""
        request = Message(stun.CHANNEL_BIND, stun.REQUEST)
        request.add(stun.CHANNEL_NUMBER, struct.pack("!HH", number, 0))
        request.add_address(stun.XOR_PEER_ADDRESS, peer)
        return self.ask_authenticated(request).error

    def refresh(self, lifetime: int) -> Message:
        request = Message(stun.REFRESH, stun.REQUEST)
        request.add(stun.LIFETIME, struct.pack("!I", lifetime))
        return self.ask_authenticated(request)

    def release(self) -> None:
        """Ends the allocation."""
        check_equal(self.refresh(0).error, 0, "Refresh: error")

    def ask_authenticated(self, request: Message) -> Message:
        """Asks with credentials; learns realm and nonce from a 401, and a new nonce from a 438."""
        answer = self.ask(self._with_credentials(request), self.key)
        for _ in range(2):
            if answer.error not in (401, 438) or (answer.error == 401 and self.key is not None):
                break
            self.realm = answer.get(stun.REALM) or self.realm
            self.nonce = answer.get(stun.NONCE) or b""
            self.key = stun.long_term_key(self.username, self.realm, self.password)
            answer = self.ask(self._with_credentials(request), self.key)
        return answer

    def _with_credentials(self, request: Message) -> Message:
        """A copy with a new transaction id; addresses are encoded anew, since they depend on it."""
        copy = Message(request.method, request.message_class)
        for code, value in request.attributes:
            if code == stun.XOR_PEER_ADDRESS:
                copy.add_address(code, stun.decode_address(value, request.transaction))
            else:
                copy.add(code, value)
        if self.key is not None:
            copy.add(stun.USERNAME, self.username).add(stun.REALM, self.realm)
            copy.add(stun.NONCE, self.nonce)
        return copy

    def ask(self, request: Message, key: bytes | None = None) -> Message:
        """Sends until the answer comes; checks its integrity when the request had one."""
        wire = request.encode(key, self.fingerprint)
        self.statistics["requests"] += 1
        for attempt in range(self.ATTEMPTS):
            self.statistics["retransmissions"] += attempt > 0
            self.socket.send(wire)
            raw = self._await(request.transaction)
            if raw is not None:
                return self._checked(raw, key)
        raise Failure(f"no answer to method {request.method} from {self.server}")

    def _checked(self, raw: bytes, key: bytes | None) -> Message:
        answer = stun.parse(raw)
        if key is not None and answer.error not in (400, 401, 438):
            check(stun.integrity_holds(raw, key),
                  f"the answer to method {answer.method} (error {answer.error}) is not authentic")
        return answer

    def _await(self, transaction: bytes) -> bytes | None:
        deadline = time.monotonic() + self.RETRANSMIT_SECONDS
        while True:
            data = self.receive_raw(deadline - time.monotonic())
            if data is None:
                return None
            if not self._keep_payload(data) and data[8:20] == transaction:
                return data

    # Application data.

    def send(self, peer: Address, payload: bytes) -> None:
        indication = Message(stun.SEND, stun.INDICATION)
        indication.add_address(stun.XOR_PEER_ADDRESS, peer).add(stun.DATA_ATTRIBUTE, payload)
        self.socket.send(indication.encode())

    def send_on_channel(self, number: int, payload: bytes, padding: bytes = b"") -> None:
        self.socket.send(struct.pack("!HH", number, len(payload)) + payload + padding)

    def receive(self, seconds: float) -> tuple[Address | int, bytes] | None:
        """Returns the next payload with its peer or channel number; None when none comes."""
        deadline = time.monotonic() + seconds
        while not self._data:
            data = self.receive_raw(deadline - time.monotonic())
            if data is None:
                return None
            self._keep_payload(data)
        return self._data.pop(0)

    def receive_raw(self, seconds: float) -> bytes | None:
        if seconds <= 0:
            return None
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return None

    def _keep_payload(self, data: bytes) -> bool:
        """Notes ChannelData and Data; answers whether `data` was one of them."""
        if data and 0x40 <= data[0] <= 0x7F:
            number, length = struct.unpack_from("!HH", data)
            self._data.append((number, data[4:4 + length]))
            return True
        message = stun.parse(data)
        if (message.method, message.message_class) != (stun.DATA, stun.INDICATION):
            return False
        payload = message.get(stun.DATA_ATTRIBUTE)
        if payload is None:
            raise Failure("a Data indication without DATA")
        self._data.append((message.address(stun.XOR_PEER_ADDRESS), payload))
        return True
