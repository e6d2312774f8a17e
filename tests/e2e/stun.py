"""STUN messages from RFC 8489 and RFC 8656, as small as a test needs them. Bytes in, values out."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import struct
import zlib
from dataclasses import dataclass, field

MAGIC_COOKIE = 0x2112A442
FINGERPRINT_XOR = 0x5354554E

REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110

BINDING, ALLOCATE, REFRESH = 0x001, 0x003, 0x004
SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 0x006, 0x007, 0x008, 0x009
CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT = 0x00A, 0x00B, 0x00C

USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x0006, 0x0008, 0x0009
CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA_ATTRIBUTE = 0x000C, 0x000D, 0x0012, 0x0013
REALM, NONCE, XOR_RELAYED_ADDRESS, REQUESTED_FAMILY = 0x0014, 0x0015, 0x0016, 0x0017
EVEN_PORT, REQUESTED_TRANSPORT, XOR_MAPPED_ADDRESS = 0x0018, 0x0019, 0x0020
RESERVATION_TOKEN, CONNECTION_ID, FINGERPRINT = 0x0022, 0x002A, 0x8028
MOBILITY_TICKET = 0x8030

FAMILY_IPV4, FAMILY_IPV6 = 0x01, 0x02

Address = tuple[str, int]


@dataclass
class Message:
    """One STUN message; `attributes` keep the order of the wire."""
    method: int
    message_class: int
    transaction: bytes = field(default_factory=lambda: os.urandom(12))
    attributes: list[tuple[int, bytes]] = field(default_factory=list)

    def add(self, code: int, value: bytes) -> "Message":
        self.attributes.append((code, value))
        return self

    def add_address(self, code: int, address: Address) -> "Message":
        return self.add(code, encode_address(address, self.transaction))

    def get(self, code: int) -> bytes | None:
        return next((value for c, value in self.attributes if c == code), None)

    def address(self, code: int) -> Address:
        value = self.get(code)
        if value is None:
            raise ValueError(f"attribute {code:#06x} is missing")
        return decode_address(value, self.transaction)

    @property
    def error(self) -> int:
        """The error code; 0 when there is none."""
        value = self.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0

    def encode(self, key: bytes | None = None, fingerprint: bool = False) -> bytes:
        """Renders the message, with MESSAGE-INTEGRITY when a key is given."""
        body = b"".join(_attribute(code, value) for code, value in self.attributes)
        if key is not None:
            head = self._header(len(body) + 24)
            body += _attribute(MESSAGE_INTEGRITY, hmac.digest(key, head + body, "sha1"))
        if fingerprint:
            head = self._header(len(body) + 8)
            crc = zlib.crc32(head + body) ^ FINGERPRINT_XOR
            body += _attribute(FINGERPRINT, struct.pack("!I", crc))
        return self._header(len(body)) + body

    def _header(self, length: int) -> bytes:
        return struct.pack("!HHI", _type(self.method, self.message_class), length,
                           MAGIC_COOKIE) + self.transaction


def parse(data: bytes, zero_padding: bool = True) -> Message:
    """Reads a message; raises ValueError when it is not one. Padding is zero in what a server
    sends (RFC 8489 §14); clients that follow RFC 5389 §15 may leave anything there."""
    if len(data) < 20:
        raise ValueError("shorter than a STUN header")
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind & 0xC000 or cookie != MAGIC_COOKIE or length % 4 or length != len(data) - 20:
        raise ValueError("not a STUN message")
    method = (kind & 0x000F) | (kind >> 1 & 0x0070) | (kind >> 2 & 0x0F80)
    message = Message(method, kind & 0x0110, data[8:20])
    at = 20
    while at < len(data):
        code, size = struct.unpack_from("!HH", data, at)
        if at + 4 + size > len(data):
            raise ValueError("an attribute is cut off")
        padding = data[at + 4 + size:at + 4 + size + -size % 4]
        if zero_padding and any(padding):
            raise ValueError("the padding of an attribute is not zero")
        message.add(code, data[at + 4:at + 4 + size])
        at += 4 + size + -size % 4
    return message


def integrity_holds(data: bytes, key: bytes) -> bool:
    """Whether the message has a MESSAGE-INTEGRITY that `key` made."""
    at = 20
    while at + 4 <= len(data):
        code, size = struct.unpack_from("!HH", data, at)
        if code == MESSAGE_INTEGRITY:
            head = data[:2] + struct.pack("!H", at + 4) + data[4:at]
            return hmac.compare_digest(hmac.digest(key, head, "sha1"), data[at + 4:at + 24])
        at += 4 + size + -size % 4
    return False


def long_term_key(username: bytes, realm: bytes, password: bytes) -> bytes:
    """RFC 8489 §9.2.2, MD5."""
    return hashlib.md5(username + b":" + realm + b":" + password).digest()


def encode_address(address: Address, transaction: bytes) -> bytes:
    """The XOR form of RFC 8489 §14.2."""
    ip = ipaddress.ip_address(address[0])
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction
    family = FAMILY_IPV4 if ip.version == 4 else FAMILY_IPV6
    packed = bytes(a ^ b for a, b in zip(ip.packed, mask))
    return struct.pack("!BBH", 0, family, address[1] ^ MAGIC_COOKIE >> 16) + packed


def decode_address(value: bytes, transaction: bytes) -> Address:
    _, family, port = struct.unpack_from("!BBH", value)
    if len(value) != {FAMILY_IPV4: 8, FAMILY_IPV6: 20}.get(family):
        raise ValueError("an address of a wrong length")
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask))
    return str(ipaddress.ip_address(packed)), port ^ MAGIC_COOKIE >> 16


def _type(method: int, message_class: int) -> int:
    return message_class | (method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2


def _attribute(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value + bytes(-len(value) % 4)
