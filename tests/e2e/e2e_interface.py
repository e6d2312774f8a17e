"""The interface of the relayed addresses goes down and comes back: calls wait, and go on."""

from __future__ import annotations

import os
import socket

import prometheus
import usage
from browser import namespace
from harness import Context, check_equal, wait_for
from server import Server
from traffic import CHANNEL
from turn_client import TurnClient

PEER = "10.77.0.2"


def run(ctx: Context) -> None:
    namespace.enter(ctx)
    peer = peer_beyond(ctx)
    # Clients come over loopback, which stays; the relay and its peer are on the interface.
    server = Server(ctx, workers=1, metering={"checkpoint": "200ms"}, relay={
        "addresses": [{"bind": namespace.ADDRESS}],
        "peers": {"allow": [f"{PEER}/32"]}}).start()
    client = TurnClient(("127.0.0.1", server.port), b"alice", b"s3cret")
    client.allocate()
    client.bind(CHANNEL, (PEER, peer.getsockname()[1]))
    relayed = echo(client, peer, 3)

    ctx.run(["ip", "link", "set", "turn0", "down"])
    for _ in range(5):
        client.send_on_channel(CHANNEL, bytes(100))
    wait_for(lambda: dropped(server) >= 5, 10, "the drops to be counted")
    check_equal(client.refresh(600).error, 0, "Refresh while the interface is down")
    check_equal(server.get("/readyz")[0], 200, "GET /readyz while the interface is down")

    ctx.run(["ip", "link", "set", "turn0", "up"])
    relayed += echo(client, peer, 3)
    with TurnClient(("127.0.0.1", server.port), b"bob", b"hunter2") as other:
        check_equal(other.try_allocate().error, 0, "Allocate when the interface is back")
        other.release()
    client.release()
    client.socket.close()
    server.stop()
    check_equal(usage.summed(usage.report(ctx, server)), (relayed, relayed), "the report")


def peer_beyond(ctx: Context) -> socket.socket:
    """A socket on the other end of the interface, in a namespace of its own: another host."""
    other = ctx.spawn(["unshare", "--net", "sleep", "300"], "peer-host")
    here = os.readlink("/proc/thread-self/ns/net")
    path = f"/proc/{other.pid}/ns/net"
    wait_for(lambda: os.readlink(path) != here, 10, "the peer's namespace")
    ctx.run(["ip", "link", "set", "turn1", "netns", str(other.pid)])
    inside = ["nsenter", f"--net={path}", "ip"]
    for command in ("link set lo up", "link set turn1 up", f"addr add {PEER}/24 dev turn1"):
        ctx.run([*inside, *command.split()])
    with namespace.inside(path):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((PEER, 0))
    peer.settimeout(10)
    ctx.on_cleanup(peer.close)
    return peer


def dropped(server: Server) -> int:
    return prometheus.total(prometheus.scrape(server), "turn_relay_dropped_packets_total")


def echo(client: TurnClient, peer: socket.socket, count: int) -> int:
    """Relays datagrams there and back; answers the bytes of one way."""
    for number in range(count):
        payload = bytes([number]) * 200
        client.send_on_channel(CHANNEL, payload)
        data, source = peer.recvfrom(65536)
        check_equal(data, payload, "what the peer got")
        peer.sendto(data, source)
        check_equal(client.receive(10), (CHANNEL, payload), "what came back")
    return count * 200
