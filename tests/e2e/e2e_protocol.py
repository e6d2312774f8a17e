"""The protocol as a client sees it, and what must never be billed."""

from __future__ import annotations

import socket
import struct

import prometheus
import stun
import usage
from echo_peer import EchoPeer, format_address
from harness import Context, check, check_equal, wait_for
from server import REALM, Server
from turn_client import TurnClient


def run(ctx: Context) -> None:
    server = Server(ctx).start()
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    for host, port in (("127.0.0.1", server.port), ("::1", server.port6)):
        check_binding((host, port))
        check_challenge((host, port))
        check_wrong_password((host, port))
        check_retransmitted_allocate(server, (host, port))
        check_only_payload_is_billed(ctx, server, (host, port), peer)
        check_unpermitted_peer(ctx, server, (host, port))
        check_reservation((host, port))
        check_channel_numbers((host, port), peer)
    prometheus.check_with_promtool(ctx, server)
    server.stop()
    usage.check_integrity(server.state / "usage.db")


def check_binding(address: stun.Address) -> None:
    with TurnClient(address) as client:
        check_equal(client.binding(), client.address, "the mapped address")


def check_challenge(address: stun.Address) -> None:
    """The first Allocate gets 401 with REALM and NONCE, small and without SOFTWARE."""
    with TurnClient(address) as client:
        answer = client.ask(stun.Message(stun.ALLOCATE, stun.REQUEST).add(
            stun.REQUESTED_TRANSPORT, struct.pack("!I", 17 << 24)))
        check_equal(answer.error, 401, "an Allocate without credentials")
        check_equal(answer.get(stun.REALM), REALM.encode(), "REALM of the 401")
        check(answer.get(stun.NONCE) is not None, "the 401 has no NONCE")


def check_wrong_password(address: stun.Address) -> None:
    with TurnClient(address, b"alice", b"wrong") as client:
        check_equal(client.try_allocate().error, 401, "an Allocate with a wrong password")
    with TurnClient(address, b"nobody", b"s3cret") as client:
        check_equal(client.try_allocate().error, 401, "an Allocate of an unknown user")


def check_retransmitted_allocate(server: Server, address: stun.Address) -> None:
    """The same transaction gets the same answer and makes nothing anew; another one gets 437."""
    with TurnClient(address, b"alice", b"s3cret") as client:
        client.allocate()
        client.release()
        request = stun.Message(stun.ALLOCATE, stun.REQUEST)
        family = stun.FAMILY_IPV6 if ":" in address[0] else stun.FAMILY_IPV4
        request.add(stun.REQUESTED_TRANSPORT, struct.pack("!I", 17 << 24))
        request.add(stun.REQUESTED_FAMILY, struct.pack("!I", family << 24))
        request.add(stun.USERNAME, b"alice").add(stun.REALM, client.realm)
        request.add(stun.NONCE, client.nonce)
        created = prometheus.total(prometheus.scrape(server), "turn_allocations_created_total")
        first = client.ask(request, client.key)
        for _ in range(3):
            again = client.ask(request, client.key)
            check_equal((again.message_class, again.address(stun.XOR_RELAYED_ADDRESS)),
                        (stun.SUCCESS, first.address(stun.XOR_RELAYED_ADDRESS)),
                        "the answer to a retransmitted Allocate")
        samples = prometheus.scrape(server)
        check_equal(prometheus.total(samples, "turn_allocations_created_total"), created + 1,
                    "allocations after four copies of one Allocate")
        check_equal(client.try_allocate().error, 437, "a second Allocate on the 5-tuple")
        client.release()
        check_equal(client.refresh(0).error, 437, "a Refresh without an allocation")


def check_only_payload_is_billed(ctx: Context, server: Server, address: stun.Address,
                                 peer: EchoPeer) -> None:
    """STUN messages, headers and padding cost nothing, neither way."""
    to = (address[0], peer.port)
    with TurnClient(address, b"alice", b"s3cret") as client:
        client.allocate()
        client.permit(to)
        client.bind(0x4001, to)
        for _ in range(5):
            client.binding()
            check_equal(client.refresh(600).error, 0, "Refresh: error")
        sent = 0
        for length in (0, 1, 2, 3, 4, 5, 99, 100, 1200):
            payload = bytes([length & 0xFF]) * length
            client.send_on_channel(0x4001, payload, bytes(-length % 4))
            check_equal(client.receive(5), (0x4001, payload), f"the echo of {length} bytes")
            client.send(to, payload)
            # The peer has a channel, so its answers come as ChannelData.
            check_equal(client.receive(5), (0x4001, payload), f"the echo of {length} bytes sent")
            sent += 2 * length
        relayed = format_address(client.relayed)
        client.release()
    check_equal(peer.counts[relayed].received_bytes, sent, "bytes that the peer got")
    session = wait_for_session(ctx, server, relayed)
    check_equal((session["client_to_peer_bytes"], session["peer_to_client_bytes"],
                 session["billable_bytes"], session["close_reason"]),
                (sent, sent, 2 * sent, "refreshed_to_zero"), "what the session is billed")
    check_equal((session["username"], session["account"], session["label"], session["region"]),
                ("alice", "acme", "web", "us1"), "whose session it is")


def check_unpermitted_peer(ctx: Context, server: Server, address: stun.Address) -> None:
    """What a stranger sends to a relayed address reaches nobody and costs nothing."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with (TurnClient(address, b"bob", b"hunter2") as client,
          socket.socket(family, socket.SOCK_DGRAM) as stranger):
        client.allocate()
        before = prometheus.total(prometheus.scrape(server), "turn_relay_dropped_packets_total",
                                  reason="no_permission")
        for _ in range(20):
            stranger.sendto(b"x" * 1000, client.relayed)
        wait_for(lambda: prometheus.total(prometheus.scrape(server),
                                          "turn_relay_dropped_packets_total",
                                          reason="no_permission") >= before + 20,
                 10, "20 dropped packets in the metrics")
        check_equal(client.receive(0.05), None, "what the client got from a stranger")
        relayed = format_address(client.relayed)
        client.release()
    session = wait_for_session(ctx, server, relayed)
    check_equal(session["billable_bytes"], 0, "what a stranger's flood costs")


def check_reservation(address: stun.Address) -> None:
    """EVEN-PORT with R gives an even port and a token for the next one."""
    with (TurnClient(address, b"alice", b"s3cret") as first,
          TurnClient(address, b"alice", b"s3cret") as second):
        answer = first.allocate(even_port=0x80)
        token = answer.get(stun.RESERVATION_TOKEN)
        check_equal(first.relayed[1] % 2, 0, "the parity of an even port")
        check(token is not None and len(token) == 8, "there is no reservation token")
        second.allocate(token=token)
        check_equal(second.relayed, (first.relayed[0], first.relayed[1] + 1), "the reserved port")
        first.release()
        second.release()


def check_channel_numbers(address: stun.Address, peer: EchoPeer) -> None:
    """RFC 8656 §12 ends at 0x4FFF; clients of RFC 5766, known by FINGERPRINT, go to 0x7FFF."""
    to = (address[0], peer.port)
    with TurnClient(address, b"alice", b"s3cret") as client:
        client.allocate()
        for number in (0x0000, 0x3FFF, 0x5000, 0x7FFF, 0x8000, 0xFFFF):
            check_equal(client.try_bind(number, to), 400, f"ChannelBind of {number:#06x}")
        client.fingerprint = True
        check_equal(client.try_bind(0x8000, to), 400, "ChannelBind of 0x8000, RFC 5766")
        for number, port in ((0x4FFF, peer.port), (0x7FFF, peer.port + 1)):
            client.bind(number, (to[0], port))
            client.send_on_channel(number, b"over here")
            check_equal(client.receive(5), (number, b"over here"), f"the echo on {number:#06x}")
        client.release()


def wait_for_session(ctx: Context, server: Server, relayed: str) -> dict:
    """Returns the newest ended session of a relayed address, once the ledger has it."""
    def find() -> dict | None:
        rows = [row for row in usage.sessions(ctx, server) if row["relayed_address"] == relayed]
        ended = [row for row in rows if row["close_reason"]]
        return max(ended, key=lambda row: row["session_id"], default=None)
    return wait_for(find, 20, f"the session of {relayed} in the ledger")
