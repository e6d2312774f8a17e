"""coturn's clients over TCP and TLS: framing and padding are never billed, nothing is lost."""

from __future__ import annotations

import e2e_relay_exact as exact
import ledger_sql
import prometheus
from echo_peer import EchoPeer
from e2e_relay_exact import Case
from harness import Context, check_equal, free_port
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
    server = Server(ctx, workers=2, tls=certificate(ctx), listen=listeners(), auth={"users": [
        {"username": c.load.username, "password": c.load.password, "account": c.account,
         "label": c.label} for c in cases]}).start()
    running = [(case, Uclient(ctx, server, case.load, f"uclient-{case.name}")) for case in cases]
    for case, uclient in running:
        case.tally = uclient.exact()
    exact.wait_until_booked(server, cases)
    exact.check_all(ctx, server, cases, echo)
    exact.check_metrics(server, cases)
    for transport in ("tcp", "tls"):
        want = exact.expected([c for c in cases if c.load.transport == transport])
        check_equal(prometheus.total(prometheus.scrape(server), "turn_relay_bytes_total",
                                     transport=transport, direction="peer_to_client"), want,
                    f"turn_relay_bytes_total of {transport}")
    server.stop()
    exact.check_all(ctx, server, cases, echo)
    ledger_sql.check_sums(server)


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
