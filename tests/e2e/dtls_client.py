"""The small TURN client over DTLS (RFC 7350). OpenSSL's s_client encrypts: Python has no DTLS."""

from __future__ import annotations

import socket
import subprocess
from types import TracebackType

from stun import Address
from turn_client import TurnClient


class DtlsClient(TurnClient):
    """One DTLS association. What goes through its socket are whole messages, as over UDP: s_client
    makes a record of what one read gives, and writes what a record held."""

    RETRANSMIT_SECONDS = 2  # the first request waits for the handshake

    def __init__(self, server: Address, username: bytes = b"", password: bytes = b""):
        super().__init__(server, username, password)
        self.socket.close()
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        host = f"[{server[0]}]" if ":" in server[0] else server[0]
        with theirs:
            self._process = subprocess.Popen(
                ["openssl", "s_client", "-quiet", "-no_ign_eof", "-dtls1_2", "-connect", f"{host}:{server[1]}"],
                stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """Ends the association with a close_notify."""
        self.socket.close()
        self._process.wait(10)

    def vanish(self) -> None:
        """Ends the client without a word to the server."""
        self._process.kill()
        self.close()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
