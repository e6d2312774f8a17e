"""Ports, descriptors and memory used up: new allocations get 508, calls go on, and what is freed is
used. Where there is less memory than the limits allow, the server ends as by kill -9.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import prometheus
import usage
from e2e_reload import reload
from e2e_slow_clients import HANDSHAKE_BYTES, LARGEST_HELLO, SLACK_BYTES
from e2e_streams import certificate, listeners
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port, wait_for
from server import Server
from tcp_turn_client import TcpTurnClient
from traffic import Call
from turn_client import TurnClient

PORTS = 24
DESCRIPTORS = 90
ALLOCATIONS = 40
CONNECTIONS = 150


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    first = free_port()
    ports(ctx, peer, first)
    descriptors(ctx, peer)
    if ctx.scale >= 1:  # a sanitizer's memory is not the server's
        memory(ctx, peer)


def ports(ctx: Context, peer: EchoPeer, first: int) -> None:
    first = min(first, 65535 - PORTS)
    server = Server(ctx, "ports", relay={"ports": f"{first}-{first + PORTS - 1}"}).start()
    calls = until_508(server, peer, PORTS)
    check(len(calls) > PORTS // 2, f"only {len(calls)} of {PORTS} ports were given")
    go_on(server, peer, calls)
    finish(ctx, server, calls)


def descriptors(ctx: Context, peer: EchoPeer) -> None:
    """One descriptor an allocation, one a connection, also to a peer; the ledger keeps its own."""
    server = Server(ctx, "descriptors", metering={"checkpoint": "100ms"})
    tcp = listeners()[0]
    server.config["listen"].append(tcp)
    server.prefix = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
    server.start()
    listener = socket.create_server(("127.0.0.1", 0))
    data = TcpTurnClient(server, b"bob", b"hunter2")
    data.allocate()
    data.permit(listener.getsockname())
    calls = until_508(server, peer, DESCRIPTORS)
    check_equal(data.try_connect_peer(listener.getsockname()).error, 447,
                "Connect when no descriptor is left (RFC 6062 §5.2)")
    with socket.create_connection(data.relayed) as caller:
        caller.settimeout(10)
        check_equal(caller.recv(1), b"", "what a peer gets that connects then")
    # Connections meet the same limit: they are closed, and the listener pauses rather than spins.
    refused = [socket.create_connection(("127.0.0.1", tcp["port"])) for _ in range(2)]
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_accept_pauses_total") > 0,
             10, "the listener to pause")
    for call in calls:
        call.echo(bytes(120), 2)
    for call in calls[:10]:
        call.release()
    wait_for(lambda: answers(tcp["port"]), 20, "an answer over TCP when there are descriptors again")
    for connection in refused:
        connection.close()
    check(data.connect_peer(listener.getsockname()) != b"", "no connection to a peer again")
    data.release()
    data.socket.close()
    listener.close()
    go_on(server, peer, calls[10:])
    finish(ctx, server, calls)


def memory(ctx: Context, peer: EchoPeer) -> None:
    """What the limits allow is there, and no more: more clients change nothing. Then there is less."""
    tls = listeners()[2]
    server = Server(ctx, "memory", tls=certificate(ctx), metering={"checkpoint": "100ms"},
                    limits={"allocations": ALLOCATIONS, "connections": CONNECTIONS})
    server.config["listen"].append(tls)
    server.start()
    more = CONNECTIONS * HANDSHAKE_BYTES + SLACK_BYTES
    ctx.run(["prlimit", f"--pid={server.launched().pid}", f"--data={data_bytes(server) + more}"])
    crowd = [hello(tls["port"]) for _ in range(2 * CONNECTIONS)]
    wait_for(lambda: metric(server, "turn_connections_closed_total") == CONNECTIONS, 10,
             "connections beyond the limit to be refused")
    calls = until_508(server, peer, ALLOCATIONS)
    check_equal(metric(server, "turn_connections"), CONNECTIONS, "connections that are held")
    go_on(server, peer, calls)

    server.config["limits"]["connections"] = 65536
    reload(server, "config_reloaded")
    wait_for(lambda: metric(server, "turn_relay_bytes_total") ==
             sum(2 * call.echoed_bytes for call in calls), 10, "the last datagram to be counted")
    with contextlib.suppress(ConnectionRefusedError):  # nobody listens any more
        while len(crowd) < 6 * CONNECTIONS:
            crowd.append(hello(tls["port"]))
    check(server.launched().ends_within(10), "the server never ran out of memory")
    check(server.launched().popen.returncode < 0, "it ended by itself rather than by a signal")
    for client in crowd:
        client.close()
    server.start()
    crashed = [row["close_reason"] for row in usage.sessions(ctx, server)].count("crash")
    check_equal(crashed, ALLOCATIONS, "sessions that ended with the process")
    finish(ctx, server, calls)


def data_bytes(server: Server) -> int:
    """What the server's process has of memory that it may write to, as RLIMIT_DATA counts it."""
    status = Path(f"/proc/{server.launched().pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData:"))


def hello(port: int) -> socket.socket:
    """A client whose handshake costs as much as one can and does not end."""
    client = socket.create_connection(("127.0.0.1", port))
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(LARGEST_HELLO)
    return client


def metric(server: Server, name: str) -> int:
    return prometheus.total(prometheus.scrape(server), name)


def answers(port: int) -> bool:
    """Whether a Binding request over a new connection is answered."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(3)
        try:
            connection.sendall(bytes.fromhex("000100002112a442") + bytes(12))
            return connection.recv(2) == b"\x01\x01"
        except OSError:
            return False


def until_508(server: Server, peer: EchoPeer, most: int) -> list[Call]:
    """Allocates until the server has nothing left."""
    calls: list[Call] = []
    while len(calls) <= most:
        with TurnClient(("127.0.0.1", server.port), b"bob", b"hunter2") as probe:
            error = probe.try_allocate().error
            if error:
                check_equal(error, 508, "the error when all is used up")
                return calls
            probe.release()
        calls.append(Call(server, peer, b"alice", b"s3cret"))
    raise AssertionError("the server never ran out")


def go_on(server: Server, peer: EchoPeer, calls: list[Call]) -> None:
    """Calls go on, and what one gives back another gets."""
    for call in calls:
        call.echo(bytes(120), 2)
    calls[-1].release()
    again = Call(server, peer, b"alice", b"s3cret")
    again.echo(bytes(120))
    calls.append(again)
    for call in calls[:-2]:
        call.client.refresh(600)


def finish(ctx: Context, server: Server, calls: list[Call]) -> None:
    server.stop()
    rows = usage.sessions(ctx, server)
    total = sum(row["client_to_peer_bytes"] for row in rows if row["account"] == "acme")
    check_equal(total, usage.summed(usage.report(ctx, server))[0], "sessions against the report")
    for call in calls:
        check(any(row["relayed_address"] == call.relayed
                  and row["client_to_peer_bytes"] == call.echoed_bytes for row in rows),
              f"no session of {call.relayed} has {call.echoed_bytes} bytes")
