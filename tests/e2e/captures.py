"""Writes captures for the tests of `turnpike replay`, and reads what the kernel relayed."""

from __future__ import annotations

import ipaddress
import random
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

START_NS = 1_764_000_000_000_000_000


class Packet(NamedTuple):
    """A UDP payload at a time, in nanoseconds from the start of its capture."""

    time: int
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes


def rtp(kind: int, sequence: int, timestamp: int, ssrc: int, size: int) -> bytes:
    """An RTP packet of `size` bytes in all."""
    head = struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return head.ljust(size, b"\xab")


def opus_call(phone: tuple[str, int], other: tuple[str, int], seconds: float,
              seed: int) -> list[Packet]:
    """A two-way call: a packet each 20 ms, give or take 3 ms, of 60 to 140 bytes; the phone's
    come first."""
    draw = random.Random(seed)
    packets = []
    for i in range(int(seconds * 50)):
        for ssrc, (source, target) in enumerate(((phone, other), (other, phone)), 7):
            time = 20_000_000 * i + 5_000_000 * (ssrc - 7) + draw.randrange(3_000_000)
            payload = rtp(111, i, 960 * i, ssrc, draw.randint(60, 140))
            packets.append(Packet(time, source, target, payload))
    return packets


def video_call(phone: tuple[str, int], other: tuple[str, int], seconds: float,
               seed: int) -> list[Packet]:
    """30 frames a second up, cut into packets that leave within 8 ms, and feedback down."""
    draw = random.Random(seed)
    packets = []
    sequence = 0
    for frame in range(int(seconds * 30)):
        start = 33_333_333 * frame + draw.randrange(2_000_000)
        for part in range(draw.randint(2, 9)):
            time = start + 800_000 * part + draw.randrange(300_000)
            packets.append(Packet(time, phone, other,
                                  rtp(96, sequence, 3000 * frame, 21, draw.randint(700, 1200))))
            sequence += 1
        if frame % 5 == 0:
            report = struct.pack("!BBH", 0x81, 205, 3).ljust(16, b"\x01")
            packets.append(Packet(start + 9_000_000, other, phone, report))
    return packets


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame(packet: Packet) -> bytes:
    """The packet on Ethernet."""
    udp = struct.pack("!HHHH", packet.source[1], packet.target[1], len(packet.payload) + 8, 0)
    source, target = (ipaddress.ip_address(end[0]) for end in (packet.source, packet.target))
    if source.version == 6:
        head = struct.pack("!IHBB", 0x60000000, len(udp) + len(packet.payload), 17, 64)
        return bytes(12) + b"\x86\xdd" + head + source.packed + target.packed + udp + packet.payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(packet.payload), 0, 0x4000, 64, 17, 0)
    head += source.packed + target.packed
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return bytes(12) + b"\x08\x00" + head + udp + packet.payload


def write_pcap(path: Path, packets: Iterable[Packet]) -> Path:
    """A pcap with nanoseconds, in the order of time."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for packet in sorted(packets, key=lambda each: each.time):
            data = frame(packet)
            seconds, fraction = divmod(START_NS + packet.time, 1_000_000_000)
            file.write(struct.pack("<IIII", seconds, fraction, len(data), len(data)) + data)
    return path


def write_pcapng(path: Path, packets: Iterable[Packet]) -> Path:
    """The same as a pcapng."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    with open(path, "wb") as file:
        file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        # Ethernet; if_tsresol 10^-9.
        file.write(block(1, struct.pack("<HHIHHBxxxHH", 1, 0, 0, 9, 1, 9, 0, 0)))
        for packet in sorted(packets, key=lambda each: each.time):
            data = frame(packet)
            time = START_NS + packet.time
            head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
            file.write(block(6, head + data))
    return path


def payload_bytes(packets: Iterable[Packet]) -> int:
    return sum(len(packet.payload) for packet in packets)
