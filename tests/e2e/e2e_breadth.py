"""coturn's clients in every mode that other tests leave out: each succeeds, and nothing is lost.

Even ports with reservations over streams, relaying between families and DONT-FRAGMENT; then its STUN clients.
"""

from __future__ import annotations

import re

import e2e_relay_exact as exact
from echo_peer import EchoPeer
from e2e_relay_exact import Case
from e2e_streams import certificate, listeners
from harness import Context, Failure, check, free_port, free_port_pair
from server import Server
from uclient import Load, Uclient, start_turnutils_peer

# Two loopback addresses of this host, for RFC 5780.
DISCOVERY = ("127.0.0.1", "127.0.0.2")


def run(ctx: Context) -> None:
    echo = EchoPeer()
    ctx.on_cleanup(echo.close)
    coturn_port = free_port_pair()
    cases = make_cases(ctx, echo.port, coturn_port)
    ports = [free_port(), free_port()]
    server = Server(ctx, tls=certificate(ctx),
                    listen=[{"transport": "udp", "address": address, "port": free_port(address)}
                            for address in ("127.0.0.1", "::1")] + listeners(),
                    nat_discovery={"addresses": list(DISCOVERY), "ports": ports},
                    auth={"users": [
                        {"username": c.load.username, "password": c.load.password,
                         "account": c.account, "label": c.label} for c in cases]}).start()
    start_turnutils_peer(ctx, coturn_port)
    running = [(case, Uclient(ctx, server, case.load, f"uclient-{case.name}")) for case in cases]
    for case, uclient in running:
        case.tally = uclient.exact()
    exact.wait_until_booked(ctx, server, cases)
    exact.check_all(ctx, server, cases, echo)
    exact.check_metrics(server, cases)
    check_stun_clients(ctx, server, ports[0])
    check_bad_channel(ctx, server, cases[0].load)
    server.stop()


def make_cases(ctx: Context, echo: int, coturn: int) -> list[Case]:
    """Each mode once; the loads are small, since other tests count large ones."""
    n = ctx.scaled(60, least=5)
    cases: list[Case] = []

    def add(name: str, **load: object) -> None:
        cases.append(Case(name, "acme", name, Load(name, f"pw-{name}", messages=n, clients=8,
                                                   length=120, **load)))

    for transport in ("tcp", "tls"):
        add(f"even-{transport}", peer_port=coturn, pairs=True, transport=transport)
        add(f"even6-{transport}", peer_port=coturn, pairs=True, transport=transport, ipv6=True,
            send_indications=True)
        add(f"mutual-{transport}", transport=transport)
        add(f"ipv4-to-ipv6-{transport}", peer_port=echo, transport=transport, relay_ipv6=True)
    add("ipv4-to-ipv6", peer_port=echo, relay_ipv6=True)
    add("ipv6-to-ipv4", peer_port=echo, ipv6=True, relay_ipv6=False, send_indications=True)
    add("dont-fragment", peer_port=echo, extra=["-g"])
    return cases


def check_bad_channel(ctx: Context, server: Server, user: Load) -> None:
    """With `-N` uclient binds a channel of any 16-bit number: three of four are none, and get 400.

    `-R` is left out: at random it damages requests, which a server must silently discard (RFC 8489
    §6.3), and then waits for their answers without end.
    """
    for attempt in range(20):
        uclient = Uclient(ctx, server, Load(user.username, user.password, user.peer_port, clients=1,
                                            messages=1, extra=["-N"]), f"uclient-negative-{attempt}")
        status = uclient.process.wait(60)
        if status == 0:
            continue
        output = uclient.process.stdout() + uclient.process.stderr()
        check("channel bind: error 400 (Bad Request)" in output, f"uclient -N ends with {output!r}")
        return
    raise Failure("uclient -N never drew a number that is no channel's")


def check_stun_clients(ctx: Context, server: Server, port: int) -> None:
    """They exit with 0 also when they get no answer, so what they print has to be read."""
    shown = ctx.run(["turnutils_stunclient", "-p", str(server.listener_port("udp")),
                     "127.0.0.1"]).stdout.decode()
    check("UDP reflexive addr: 127.0.0.1:" in shown, f"turnutils_stunclient says {shown!r}")
    shown = ctx.run(["turnutils_stunclient", "-f", "-p", str(port), "127.0.0.1"]).stdout.decode()
    check(len(re.findall("RFC 5780 response", shown)) == 3
          and f"Response origin: : {DISCOVERY[1]}:" in shown, f"with RFC 5780 it says {shown!r}")
    for padding in ([], ["-P"]):
        shown = ctx.run(["turnutils_natdiscovery", "-m", "-f", "-H", *padding, "-p", str(port),
                         "127.0.0.1"]).stdout.decode()
        for finding in ("NAT with Endpoint Independent Mapping!", "Received a request",
                        "NAT with Endpoint Independent Filtering!"):
            check(finding in shown, f"turnutils_natdiscovery does not find {finding!r}: {shown!r}")
