"""RFC 6062: coturn's clients relay TCP, over TCP and TLS, exact to the byte.

Two workers share the listeners, so about half of the data connections are accepted by the worker
that does not own the peer connection, and are handed over, TLS sessions included. uclient's `-T`
builds a full mesh between its clients, whatever else it is told: each connects to the relayed
addresses of others, sends on one of these connections and gets its messages back. Peers that are
no clients are left to the tests' own client.
"""

from __future__ import annotations

import socket
import threading
from collections import defaultdict

import e2e_relay_exact as exact
import ledger_sql
import prometheus
import usage
from e2e_relay_exact import Case
from e2e_streams import certificate
from echo_peer import format_address
from harness import Context, check, check_equal, free_port, wait_for
from server import Server
from tcp_turn_client import TcpTurnClient
from uclient import Load, Uclient

MESH = 6
USER, PASSWORD = b"carol", b"s5cret"


class TcpEchoPeer:
    """Echoes every connection's bytes and counts them per source address."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, source = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection, format_address(source)),
                             daemon=True).start()

    def _echo(self, connection: socket.socket, source: str) -> None:
        with connection:
            while data := connection.recv(65536):
                self.counts[source][0] += len(data)
                connection.sendall(data)
                self.counts[source][1] += len(data)

    def close(self) -> None:
        # Only shutting down wakes a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def run(ctx: Context) -> None:
    peer = TcpEchoPeer()
    ctx.on_cleanup(peer.close)
    cases = [make_case(ctx, f"{transport}-{how}", transport, length)
             for transport in ("tcp", "tls")
             for how, length in (("large", 1111), ("small", 60))]
    server = Server(ctx, workers=2, tls=certificate(ctx), listen=[
        {"transport": transport, "address": "127.0.0.1", "port": free_port()}
        for transport in ("tcp", "tls")
    ], auth={"users": [
        {"username": USER.decode(), "password": PASSWORD.decode()},
        *({"username": c.load.username, "password": c.load.password, "account": c.account,
           "label": c.label} for c in cases)]}).start()
    running = [(case, Uclient(ctx, server, case.load, f"uclient-{case.name}")) for case in cases]
    for case, uclient in running:
        case.tally = uclient.exact()
        check(f"{MESH * (MESH - 1)} connections are completed" in uclient.process.stdout()
              + uclient.process.stderr(), f"{case.name}: the mesh is not complete")
    sizes = [relay_to_peer(server, peer), relay_from_peer(server)]

    one_way = exact.expected(cases) + sum(sizes)
    wait_for(lambda: prometheus.billed(prometheus.scrape(server)) >= 2 * one_way, 30,
             "the ledger to hold all that the clients sent and received")
    check_rows(ctx, server, cases, sizes)
    check_metrics(server, one_way)
    server.stop()
    check_rows(ctx, server, cases, sizes)
    ledger_sql.check_sums(server)
    check(usage.usage(ctx, server, "report")["complete"], "the report is not complete at the end")


def make_case(ctx: Context, name: str, transport: str, length: int) -> Case:
    return Case(name, "acme", transport,
                Load(name, f"pw-{name}", clients=MESH, length=length,
                     messages=ctx.scaled(150, least=10), transport=transport, extra=["-T"]))


def relay_to_peer(server: Server, peer: TcpEchoPeer) -> int:
    """A megabyte to an echoing peer and back; the end of sending is passed on both ways."""
    sent = bytes(range(256)) * 4096
    with TcpTurnClient(server, USER, PASSWORD) as client:
        client.allocate()
        with client.bind_data(client.connect_peer(("127.0.0.1", peer.port))) as data:
            sender = threading.Thread(target=lambda: (data.sendall(sent),
                                                      data.shutdown(socket.SHUT_WR)))
            sender.start()
            got = read_all(data)
            sender.join()
        client.release()
    check(got == sent, f"{len(got)} bytes came back of {len(sent)}, or they differ")
    check_equal(dict(peer.counts), {format_address(client.relayed): [len(sent), len(sent)]},
                "what the peer counted")
    return len(sent)


def relay_from_peer(server: Server) -> int:
    """A peer connects, speaks first, and is answered; one without permission is turned away."""
    with TcpTurnClient(server, USER, PASSWORD) as client:
        client.allocate()
        with socket.create_connection(client.relayed) as stranger:
            stranger.settimeout(10)
            check_equal(read_all(stranger), b"", "what a peer without permission got")
        client.permit(("127.0.0.1", 1))
        with socket.create_connection(client.relayed) as peer:
            peer.sendall(b"the peer speaks first")
            address, connection = client.await_attempt()
            check_equal(address, peer.getsockname()[:2], "the peer that ConnectionAttempt names")
            with client.bind_data(connection) as data:
                check_equal(data.recv(100), b"the peer speaks first", "what came before the bind")
                data.sendall(b"and gets an equal one")
                check_equal(peer.recv(100), b"and gets an equal one", "the answer")
        client.release()
    return 21


def read_all(connection: socket.socket) -> bytes:
    """Reads to the end; a reset is one."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def check_rows(ctx: Context, server: Server, cases: list[Case], sizes: list[int]) -> None:
    """Every session says what its client sent; together they say what all got."""
    rows = usage.sessions(ctx, server)
    for case in cases:
        mine = [row for row in rows if row["username"] == case.load.username]
        busy = [row for row in mine if row["billable_bytes"]]
        share = case.load.messages * case.load.length
        check_equal([row["client_to_peer_bytes"] for row in busy], [share] * case.load.clients,
                    f"{case.name}: what each client sent")
        check_equal({row["transport"] for row in busy}, {case.load.transport},
                    f"{case.name}: transports")
        check_equal({row["account"] + "/" + row["label"] for row in busy},
                    {f"acme/{case.load.transport}"}, f"{case.name}: who pays")
        check_equal(usage.summed(mine), (case.tally.sent_bytes, case.tally.received_bytes),
                    f"{case.name}: bytes of its sessions against what uclient counted")
    own = [(row["client_to_peer_bytes"], row["peer_to_client_bytes"]) for row in rows
           if row["username"] == USER.decode()]
    check_equal(sorted(own), sorted((size, size) for size in sizes), "the tests' own sessions")


def check_metrics(server: Server, one_way: int) -> None:
    def settled() -> bool:
        now = prometheus.scrape(server)
        return prometheus.total(now, "turn_connections") == 0
    wait_for(settled, 10, "all connections to be gone")
    samples = prometheus.scrape(server)
    check_equal(prometheus.total(samples, "turn_peer_connections"), 0, "turn_peer_connections")
    for direction in ("client_to_peer", "peer_to_client"):
        check_equal(prometheus.total(samples, "turn_relay_bytes_total", direction=direction),
                    one_way, f"turn_relay_bytes_total {direction}")
    # Each connection of a mesh has two ends here, one that connected and one that accepted.
    meshes = 4 * MESH * (MESH - 1) // 2
    events = "turn_peer_connection_events_total"
    for event, count in (("accepted", meshes + 1), ("connected", meshes + 1),
                         ("bound", 2 * meshes + 2), ("not_bound", 0), ("connect_failed", 0)):
        check_equal(prometheus.value(samples, events, event=event), count, f"{events} {event}")
