"""Sees the UDP datagrams of one port on the loopback, with the kernel's own times."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading

from captures import Packet

ETH_P_IP = 0x0800
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33


def port_filter(port: int) -> bytes:
    """Classic BPF: UDP over IPv4 from or to `port`; the machine may be full of other traffic."""
    program = ((0x30, 0, 0, 23),     # the protocol
               (0x15, 0, 5, 17),     # UDP, or out
               (0xB1, 0, 0, 14),     # X: the size of the IP header
               (0x48, 0, 0, 14), (0x15, 3, 0, port),
               (0x48, 0, 0, 16), (0x15, 1, 0, port),
               (0x06, 0, 0, 0), (0x06, 0, 0, 0x40000))
    return b"".join(struct.pack("HBBI", *each) for each in program)


class Sniffer:
    """Collects from `with` on; `packets` is complete after it."""

    def __init__(self, port: int):
        self.packets: list[Packet] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        code = ctypes.create_string_buffer(port_filter(port))
        count = (len(code) - 1) // 8
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                                struct.pack("HL", count, ctypes.addressof(code)))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.bind(("lo", ETH_P_IP))
        self._socket.settimeout(0.1)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._collect)

    def __enter__(self) -> "Sniffer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    def _collect(self) -> None:
        while True:
            try:
                data, control, _, _ = self._socket.recvmsg(1 << 17, 256)
            except TimeoutError:
                if self._ending.is_set():
                    return
                continue
            seconds, fraction = struct.unpack("ll", control[0][2][:16])
            head = 14 + 4 * (data[14] & 15)
            source, target, size = struct.unpack("!HHH", data[head:head + 6])
            self.packets.append(Packet(
                1_000_000_000 * seconds + fraction, (socket.inet_ntoa(data[26:30]), source),
                (socket.inet_ntoa(data[30:34]), target), data[head + 8:head + size]))
