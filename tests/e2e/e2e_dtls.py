"""coturn's clients over DTLS, exact to the byte; strangers leave no state and get no more than they
send."""

from __future__ import annotations

import socket

import e2e_relay_exact as exact
import ledger_sql
import prometheus
import stun
from e2e_relay_exact import Case
from e2e_streams import certificate
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port, free_port_pair, wait_for
from server import Server
from turn_client import TurnClient
from uclient import Load, Uclient, start_turnutils_peer

# The flood comes from so many addresses of loopback and ports of each.
FLOOD = (4, 500)


def run(ctx: Context) -> None:
    echo = EchoPeer()
    ctx.on_cleanup(echo.close)
    coturn_port = free_port_pair()
    cases = make_cases(ctx, echo.port, coturn_port)
    shared = free_port()  # UDP and DTLS on one port
    server = Server(ctx, workers=2, tls=certificate(ctx), listen=[
        {"transport": "udp", "address": "127.0.0.1", "port": shared},
        {"transport": "dtls", "address": "127.0.0.1", "port": shared},
        {"transport": "dtls", "address": "::1", "port": free_port("::1")},
    ], limits={"handshake_timeout": "2s", "idle_timeout": "2s"}, auth={"users": [
        {"username": c.load.username, "password": c.load.password, "account": c.account,
         "label": c.label} for c in cases]}).start()
    start_turnutils_peer(ctx, coturn_port)
    running = [(case, Uclient(ctx, server, case.load, f"uclient-{case.name}")) for case in cases]
    for case, uclient in running:
        case.tally = uclient.exact()
    exact.wait_until_booked(ctx, server, cases)
    exact.check_all(ctx, server, cases, echo)
    exact.check_metrics(server, cases)
    check_handshake(ctx, server, shared)
    check_flood(server, ("127.0.0.1", shared))
    check_garbage(server, ("127.0.0.1", shared))
    server.stop()
    exact.check_all(ctx, server, cases, echo)
    ledger_sql.check_sums(server)


def make_cases(ctx: Context, echo: int, coturn: int) -> list[Case]:
    n = ctx.scaled(100, least=10)
    cases: list[Case] = []

    def add(name: str, **load: object) -> None:
        cases.append(Case(name, "acme", name, Load(name, f"pw-{name}", messages=n, clients=10,
                                                   transport="dtls", **load)))

    add("channel4", peer_port=echo, length=101)
    add("channel6", peer_port=echo, length=1150, ipv6=True)
    add("send4", peer_port=echo, length=203, send_indications=True)
    add("send6", peer_port=echo, length=64, send_indications=True, ipv6=True)
    add("even4", peer_port=coturn, length=333, pairs=True)
    add("mutual4", length=240)
    # In UDP beside it, on the same port.
    cases.append(Case("plain", "acme", "plain", Load("plain", "pw-plain", peer_port=echo,
                                                     messages=n, clients=10)))
    return cases


def check_handshake(ctx: Context, server: Server, port: int) -> None:
    """OpenSSL's client: DTLS 1.2 with ALPN, and no DTLS 1.0."""
    client = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]
    shown = ctx.run([*client, "-dtls1_2", "-alpn", "stun.turn"]).stdout
    for word in (b"ALPN protocol: stun.turn", b"DTLSv1.2", b"GCM"):
        check(word in shown, f"no {word!r} in what OpenSSL's client shows")
    old = ctx.run([*client, "-dtls1", "-cipher", "ALL:@SECLEVEL=0"], status=None)
    check(b"Cipher is (NONE)" in old.stdout, "DTLS 1.0 is spoken")
    samples = prometheus.scrape(server)
    for result in ("ok", "failed"):
        check(prometheus.value(samples, "turn_dtls_handshakes_total", result=result) >= 1,
              f"no handshake counted as {result}")


def hello() -> bytes:
    """The first ClientHello of DTLS 1.2 with one suite, no cookie and no extension: the shortest
    there is."""
    body = b"\xfe\xfd" + bytes(range(32)) + b"\0" + b"\0" + b"\0\2\xc0\x2b" + b"\1\0"
    size = len(body).to_bytes(3, "big")
    handshake = b"\1" + size + b"\0\0" + b"\0\0\0" + size + body
    return b"\x16\xfe\xff" + bytes(8) + len(handshake).to_bytes(2, "big") + handshake


def check_flood(server: Server, address: stun.Address) -> None:
    """First ClientHellos from thousands of ports: each gets less than it sent, none leaves state."""
    first = hello()
    # uclient leaves its probes' sessions behind, which live as long as their allocations.
    before = (cookies(server), sessions(server))
    answers = 0
    addresses, ports = FLOOD
    for i in range(addresses):
        sockets = []
        for _ in range(ports):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.bind((f"127.0.0.{i + 1}", 0))
            client.settimeout(5)
            client.sendto(first, address)
            sockets.append(client)
        for client in sockets:
            answer = client.recv(65536)
            check(len(answer) <= len(first), f"{len(first)} bytes are answered with {len(answer)}")
            check_equal((answer[0], answer[13]), (22, 3), "type of the record and message")
            answers += 1
            client.close()
    check_equal(answers, addresses * ports, "HelloVerifyRequests")
    check_equal(cookies(server), before[0] + answers, "cookies counted")
    check(sessions(server) <= before[1], "the flood has made sessions")
    with TurnClient(address) as client:
        check_equal(client.binding(), client.address, "the mapped address, over UDP beside it")


def check_garbage(server: Server, address: stun.Address) -> None:
    """What begins like DTLS and is none gets no answer, and is counted."""
    before = strangers(server, "discarded")
    garbage = [b"\x16", b"\x16" * 200, b"\x17\xfe\xfd" + bytes(60), hello()[:-1], b"\x14\xfe\xfd"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.settimeout(0.2)
        for each in garbage:
            client.send(each)
        wait_for(lambda: strangers(server, "discarded") == before + len(garbage), 10,
                 "garbage to be counted")
        try:
            answer = client.recv(65536)
        except TimeoutError:
            answer = b""
        check_equal(answer, b"", "the answer to garbage")


def strangers(server: Server, action: str) -> float:
    return prometheus.value(prometheus.scrape(server), "turn_dtls_stranger_datagrams_total",
                            action=action)


def cookies(server: Server) -> float:
    return strangers(server, "cookie_sent")


def sessions(server: Server) -> float:
    return prometheus.value(prometheus.scrape(server), "turn_connections", transport="dtls")
