"""Reads live.slots as common/metering/LEDGER.md describes it: a witness beside the server's code.

The kernel has the file's pages, whatever became of the process that mapped it.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from harness import check, check_equal

MAGIC = b"TPSLOTS\n"
FORMAT_VERSION = 2
HEADER = struct.Struct("=8s8I")   # magic, version, five sizes, segments, size of a name tail
RECORD_NAME_BYTES = 128

FREE, LIVE, CLOSED = 0, 1, 2


@dataclass
class Slot:
    """One used slot."""
    session_id: str
    state: int
    client_to_peer_bytes: int
    peer_to_client_bytes: int
    client_to_peer_packets: int
    peer_to_client_packets: int
    account: bytes
    label: bytes
    username: bytes


def read(path: Path) -> dict[str, Slot]:
    """Returns the slots that are live or closed, by session id."""
    data = path.read_bytes()
    magic, version, header, per_segment, live, record, ring, segments, tail = HEADER.unpack_from(data)
    check_equal((magic, version), (MAGIC, FORMAT_VERSION), "live.slots: magic and version")
    segment_size = per_segment * (live + record + tail + ring)
    check(len(data) >= header + segments * segment_size, "live.slots is shorter than it says")
    slots: dict[str, Slot] = {}
    for segment in range(segments):
        base = header + segment * segment_size
        for i in range(per_segment):
            slot = _slot(data, base + i * live, base + per_segment * live + i * record,
                         base + per_segment * (live + record) + i * tail)
            if slot:
                check(slot.session_id not in slots, f"session {slot.session_id} has two slots")
                slots[slot.session_id] = slot
    return slots


def _slot(data: bytes, live_at: int, record_at: int, tail_at: int) -> Slot | None:
    state, _, _, _, _, _, session = struct.unpack_from("=IIqQII16s", data, record_at)
    if state == FREE:
        return None
    c2p_bytes, p2c_bytes, _, _, c2p_packets, p2c_packets = struct.unpack_from("=6Q", data, live_at)
    # After the id: started_at (8), two addresses (20 each), then the sizes of three names.
    at = record_at + 24 + 8 + 16 + 8 + 40
    sizes = struct.unpack_from("=3H", data, at)
    text = data[at + 8:at + 8 + RECORD_NAME_BYTES] + data[tail_at:tail_at + sum(sizes)]
    names, at = [], 0
    for size in sizes:
        names.append(text[at:at + size])
        at += size
    return Slot(str(uuid.UUID(bytes=session)), state, c2p_bytes, p2c_bytes, c2p_packets,
                p2c_packets, *names)
