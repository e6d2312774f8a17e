"""coturn's clients over TCP and TLS: framing and padding are never billed, nothing is lost.

Beside them come clients that nobody invited: HTTP, a port scan, half a handshake, old TLS.
"""

from __future__ import annotations

import socket

import e2e_relay_exact as exact
import ledger_sql
import prometheus
from echo_peer import EchoPeer
from e2e_relay_exact import Case
from harness import Context, check, check_equal, free_port, wait_for
from server import Server
from uclient import Load, Uclient


def run(ctx: Context) -> None:
    echo = EchoPeer()
    ctx.on_cleanup(echo.close)
    cases = [
        make_case(ctx, echo, f"{transport}{'6' if ipv6 else '4'}-{how}", transport, length, ipv6,
                  how == "send")
        for transport in ("tcp", "tls")
        for how, length, ipv6 in (("channel", 101, False), ("channel", 1150, True),
                                  ("send", 203, False), ("send", 64, True))
    ]
    server = Server(ctx, workers=2, tls=certificate(ctx), listen=listeners(),
                    limits={"handshake_timeout": "2s", "idle_timeout": "2s"}, auth={"users": [
        {"username": c.load.username, "password": c.load.password, "account": c.account,
         "label": c.label} for c in cases]}).start()
    running = [(case, Uclient(ctx, server, case.load, f"uclient-{case.name}")) for case in cases]
    uninvited(ctx, server)
    for case, uclient in running:
        case.tally = uclient.exact()
    exact.wait_until_booked(ctx, server, cases)
    exact.check_all(ctx, server, cases, echo)
    exact.check_metrics(server, cases)
    for transport in ("tcp", "tls"):
        want = exact.expected([c for c in cases if c.load.transport == transport])
        check_equal(prometheus.total(prometheus.scrape(server), "turn_relay_bytes_total",
                                     transport=transport, direction="peer_to_client"), want,
                    f"turn_relay_bytes_total of {transport}")
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_connections") == 0, 10,
             "all connections to be gone")
    server.stop()
    exact.check_all(ctx, server, cases, echo)
    ledger_sql.check_sums(server)


def uninvited(ctx: Context, server: Server) -> None:
    """None of these gets an answer or stays, and each is counted."""
    tcp = ("127.0.0.1", server.listener_port("tcp"))
    tls = ("127.0.0.1", server.listener_port("tls"))
    for address, first in ((tcp, b"GET / HTTP/1.1\r\n\r\n"), (tcp, b"\xff" * 8),
                           (tcp, b"\x16\x03\x01\x00\xf4\x01"), (tls, b"GET / HTTP/1.1\r\n\r\n"),
                           (tcp, b""), (tcp, b"\x00\x01"), (tls, b""), (tls, b"\x16\x03\x01")):
        with socket.create_connection(address) as client:
            client.settimeout(20)
            client.sendall(first)
            try:
                got = client.recv(100)
            except ConnectionResetError:
                got = b""
            check_equal(got, b"", f"the answer to {first!r} on port {address[1]}")
    old = ctx.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls[1]}", "-tls1_1"], None)
    check(b"Cipher is (NONE)" in old.stdout, "TLS 1.1 is spoken")
    new = ctx.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls[1]}", "-alpn", "stun.turn"])
    check(b"ALPN protocol: stun.turn" in new.stdout, "ALPN does not say stun.turn")
    samples = prometheus.scrape(server)
    for reason, least in (("not_turn", 4), ("no_message", 4), ("tls_failed", 1)):
        count = prometheus.value(samples, "turn_connections_closed_total", reason=reason)
        check(count >= least, f"{count} connections closed as {reason}")
    check(prometheus.total(samples, "turn_tls_handshakes_total", result="failed") >= 1,
          "no failed handshake is counted")


def make_case(ctx: Context, echo: EchoPeer, name: str, transport: str, length: int, ipv6: bool,
              send_indications: bool) -> Case:
    return Case(name, "acme", transport,
                Load(name, f"pw-{name}", peer_port=echo.port, clients=12, length=length, ipv6=ipv6,
                     messages=ctx.scaled(150, least=10), send_indications=send_indications,
                     transport=transport))


def listeners() -> list[dict]:
    """TCP and TLS in both families."""
    return [{"transport": transport, "address": address, "port": free_port(address)}
            for transport in ("tcp", "tls") for address in ("127.0.0.1", "::1")]


def certificate(ctx: Context) -> dict[str, str]:
    """A self-signed certificate; uclient does not look at it."""
    names = {"certificate": str(ctx.directory / "cert.pem"), "key": str(ctx.directory / "key.pem")}
    ctx.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=turnpike",
             "-keyout", names["key"], "-out", names["certificate"]])
    return names
