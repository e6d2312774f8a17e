"""Honest calls beside something else: `turnpike load`, which loses no packet and no byte of the bill."""

from __future__ import annotations

import json
import signal
from typing import Any

import prometheus
from harness import Context, check_equal, free_port, wait_for
from server import SECRET, Server

TRANSPORTS = ("udp", "tcp", "tls", "dtls")


def listen_as_load_expects(server: Server) -> None:
    """Gives the server a listener of each transport: UDP and TCP share a port, TLS and DTLS too."""
    plain, encrypted = free_port(), free_port()
    server.config["listen"] = [
        {"transport": transport, "address": "127.0.0.1",
         "port": plain if transport in ("udp", "tcp") else encrypted}
        for transport in TRANSPORTS]
    server.port = plain


def load_arguments(server: Server, *more: str) -> list[str]:
    """Arguments of `turnpike` for a load on such a server."""
    return ["load", "--server", f"127.0.0.1:{server.port}",
            "--tls-port", str(server.listener_port("tls")), *more]


def packets_sent(result: dict[str, Any]) -> int:
    """By both sides of all calls of a load's result."""
    return sum(result[way]["sent_packets"] for way in ("client_to_peer", "peer_to_client"))


class Honest:
    """Calls that talk from the constructor on, both ways, until `finish`."""

    def __init__(self, ctx: Context, server: Server, sessions: int, packets_per_second: int,
                 *more: str, transports: str = ",".join(TRANSPORTS)):
        self._server = server
        self._result = ctx.directory / "honest.json"
        before = self._relayed()
        self._process = ctx.spawn([ctx.turnpike, *load_arguments(
            server, "--secret", SECRET, "--account", "honest", "--sessions", str(sessions),
            "--pps", str(packets_per_second), "--direction", "duplex", "--transport", transports,
            "--duration", "1h", "--threads", "2", "--patience", "60s", "--settle", "1s",
            "--threshold", "loss<=0%", "--assert-billing", "--ledger", str(server.state),
            "--json", str(self._result), *more)], "honest")
        wait_for(lambda: self._relayed() > before + 2 * sessions or not self._process.running(),
                 60, "the honest calls to talk")

    def finish(self) -> dict[str, Any]:
        """Ends the calls and returns the result; fails unless all that was sent came and is billed."""
        status, result = self._end()
        check_equal(status, 0, f"honest calls: {self._process.stderr()} {self._process.stdout()}")
        check_equal((result["loss"], result["failures"]), (0, {}), "what honest calls lost")
        return result

    def break_off(self) -> dict[str, Any]:
        """The same for calls whose server died and is there again: what came is billed, and nothing
        that was not sent."""
        _, result = self._end()
        check_equal(result["billing"]["passed"], True, f"the bill: {result['billing']}")
        return result

    def _end(self) -> tuple[int, dict[str, Any]]:
        if self._process.running():
            self._process.popen.send_signal(signal.SIGINT)
        # Longer than the load's own patience, so that it says itself what it waits for.
        return self._process.wait(150), json.loads(self._result.read_text())

    def _relayed(self) -> int:
        return prometheus.total(prometheus.scrape(self._server), "turn_relay_packets_total")
