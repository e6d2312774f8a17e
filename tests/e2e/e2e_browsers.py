"""A real browser calls itself through the relay and through nothing else, over each transport.

What a browser says it sent (getStats: payload of its candidate pair, DTLS included) and what the
relay bills differ by what the browser leaves out, and by nothing else:

    billed = getStats + ICE's checks and their answers + what follows the last look at getStats

The checks are STUN messages between the browsers, so payload to the relay. After the last look
come a few RTCP packets and DTLS's farewell. Chromium counts its checks and packets, which makes the
relation exact in packets. Over UDP a tap between browser and relay sees every check, which makes it
exact in bytes, and the tap's own sum of payload must be the bill to the byte.
"""

from __future__ import annotations

import struct
from typing import Any

import e2e_relay_exact as exact
import prometheus
import usage
from browser import launch, namespace
from browser.page_server import PageServer
from browser.tap import Flow, Tap
from harness import Context, Failure, Skipped, check, check_equal, free_port, wait_for
from server import Server

# Bytes of the data channel, per side.
DATA = {"a": 2_097_152, "b": 1_048_577}
MEDIA_SECONDS = 3

# An ICE check has 20 bytes of header and at most 140 of attributes here; what a browser sends while
# it closes (RTCP, DTLS alerts) is no larger.
SMALL = 160
# No browser sends larger datagrams to a peer.
DATAGRAM = 1_500
# Packets between the last look at getStats and the release of the allocation.
FAREWELL = 8
# Firefox does not count its checks. It answers and sends some at the start, then one each 5 s.
FIREFOX_CHECKS = 20

Row = dict[str, Any]


def run(ctx: Context, browser: str) -> None:
    absent = launch.missing(browser)
    if absent:
        raise Skipped(f"not installed: {', '.join(absent)} (tools/install test)")
    namespace.enter(ctx)
    authority = launch.make_authority(ctx)
    server = start_server(ctx, authority)
    tap = Tap(namespace.ADDRESS, (namespace.ADDRESS, server.listener_port("udp")))
    ctx.on_cleanup(tap.close)
    cases = [make_case(ctx, browser, name, url) for name, url in urls(server, tap.port).items()]
    results = browse(ctx, browser, cases, authority)
    rows = ended_sessions(ctx, server, cases)
    overflows = int(prometheus.total(prometheus.scrape(server), "turn_receive_overflows_total"))
    for case in cases:
        check_case(browser, case, results[case["name"]], rows, tap, overflows)
    server.stop()
    check_equal(ended_sessions(ctx, server, cases), rows, "sessions after the server has stopped")


def start_server(ctx: Context, authority: launch.Authority) -> Server:
    """No peer is allowed that is not allowed anyway: the two meet at the relay's own address."""
    return Server(ctx, listen=[
        {"transport": transport, "address": address, "port": free_port(address)}
        for transport, address in (("udp", namespace.ADDRESS), ("udp", namespace.ADDRESS6),
                                   ("tcp", namespace.ADDRESS), ("tls", namespace.ADDRESS))
    ], relay={"addresses": [{"bind": namespace.ADDRESS}], "peers": {"allow": []}},
        tls={"certificate": str(authority.certificate), "key": str(authority.key)}).start()


def urls(server: Server, tap_port: int) -> dict[str, str]:
    """What a browser is told, by the case's name."""
    port6 = server.listener_port("udp", ipv6=True)
    return {
        "udp": f"turn:{namespace.ADDRESS}:{tap_port}?transport=udp",
        "udp6": f"turn:[{namespace.ADDRESS6}]:{port6}?transport=udp",
        "tcp": f"turn:{launch.HOST}:{server.listener_port('tcp')}?transport=tcp",
        "tls": f"turns:{launch.HOST}:{server.listener_port('tls')}?transport=tcp",
    }


def make_case(ctx: Context, browser: str, name: str, url: str) -> dict[str, Any]:
    """A case of the page's plan; each side has credentials, so sessions, of its own."""
    case: dict[str, Any] = {"name": name, "urls": [url], "media_seconds": MEDIA_SECONDS}
    for side, size in DATA.items():
        username, password = exact.token(ctx, browser, f"{name}-{side}")
        case[side] = {"username": username, "password": password, "bytes": size}
    return case


def browse(ctx: Context, browser: str, cases: list[dict[str, Any]], authority: launch.Authority
           ) -> dict[str, dict[str, Any]]:
    """Opens the page and waits until it has posted a result of every case."""
    page = PageServer(cases)
    ctx.on_cleanup(page.close)
    process = launch.start(ctx, browser, page.url, namespace.ADDRESS, authority)

    def done() -> bool:
        check(process.running() or len(page.results) == len(cases),
              f"{browser} has ended: {process.stderr().strip()[-2000:]}")
        return len(page.results) == len(cases)

    wait_for(done, 60 + 30 * len(cases), f"{browser}'s results")
    for case in cases:
        result = page.results[case["name"]]
        said = {side: (result[side].get("errors"), result[side].get("received"))
                for side in DATA if side in result}
        check_equal(result["error"], "",
                    f"{browser} {case['name']}, errors of ICE and bytes received: {said}")
    return page.results


def ended_sessions(ctx: Context, server: Server, cases: list[dict[str, Any]]) -> dict[str, Row]:
    """By username, the session that carried traffic; the others have carried nothing at all."""
    wanted = {case[side]["username"] for case in cases for side in DATA}

    def ended() -> list[Row]:
        rows = usage.sessions(ctx, server)
        busy = {row["username"] for row in rows if row["billable_bytes"]}
        return rows if wanted <= busy and all(row["ended_at"] for row in rows) else []

    busy: dict[str, Row] = {}
    for row in wait_for(ended, 30, "the sessions' ends"):
        check(row["username"] in wanted, f"whose session is this? {row}")
        check(row["close_reason"] in ("refreshed_to_zero", "transport_closed"),
              f"close reason of {row}")
        if row["billable_bytes"]:
            check(row["username"] not in busy, f"a second session with traffic: {row}")
            busy[row["username"]] = row
    return busy


def check_case(browser: str, case: dict[str, Any], result: dict[str, Any], rows: dict[str, Row],
               tap: Tap, overflows: int) -> None:
    check_media(f"{browser} {case['name']}", result["media"])
    transport = case["name"].removesuffix("6")
    for side, other in (("a", "b"), ("b", "a")):
        what = f"{browser} {case['name']}, side {side}"
        row, peer_row = (rows[case[s]["username"]] for s in (side, other))
        check_equal((result[side]["received"], result[side]["wrong"]), (DATA[other], 0),
                    f"{what}: bytes received and wrong ones on the data channel")
        check_equal((row["transport"], row["account"]), (transport, browser), f"{what}: session")
        pair = check_selected(what, result[side]["stats"], transport, row)
        check_counts(what, browser, pair, row)
        check_crosswise(what, row, peer_row, overflows)
        if case["name"] == "udp":
            flow = next((f for f in tap.flows.values() if carries(f, row["username"])), None)
            if flow is None:
                raise Failure(f"{what}: the tap has not seen it")
            check_tap(what, pair, row, flow)


def carries(flow: Flow, username: str) -> bool:
    return flow.username() == username and any(True for _ in flow.payloads(from_client=True))


def check_media(what: str, stats: list[Row]) -> None:
    """Sound has arrived, and pictures that can be decoded."""
    inbound = {row.get("kind"): row for row in stats if row["type"] == "inbound-rtp"}
    check_equal(sorted(map(str, inbound)), ["audio", "video"], f"{what}: streams received")
    check(inbound["audio"]["packetsReceived"] >= 20 * MEDIA_SECONDS, f"{what}: {inbound['audio']}")
    check(inbound["video"]["framesDecoded"] >= 2 * MEDIA_SECONDS, f"{what}: {inbound['video']}")


def check_selected(what: str, stats: list[Row], transport: str, row: Row) -> Row:
    """Returns the pair in use: its own end is the relayed address of the session."""
    by_id = {entry["id"]: entry for entry in stats}
    chosen = next(e["selectedCandidatePairId"] for e in stats if e["type"] == "transport")
    pair = by_id[chosen]
    local = by_id[pair["localCandidateId"]]
    check_equal((local["candidateType"], local["relayProtocol"]), ("relay", transport),
                f"{what}: candidate in use")
    check_equal(f"{local['address']}:{local['port']}", row["relayed_address"],
                f"{what}: relayed address")
    return pair


def check_counts(what: str, browser: str, pair: Row, row: Row) -> None:
    """The bill against getStats: never less, and more by no more than is explained."""
    for ours, direction, theirs in (("client_to_peer", "Sent", ("requestsSent", "responsesSent")),
                                    ("peer_to_client", "Received",
                                     ("requestsReceived", "responsesReceived"))):
        checks = FIREFOX_CHECKS
        extra = row[f"{ours}_bytes"] - pair[f"bytes{direction}"]
        least = 0
        if browser == "chromium":
            checks = sum(pair[name] for name in theirs)
            farewell = row[f"{ours}_packets"] - pair[f"packets{direction}"] - checks
            check(0 <= farewell <= FAREWELL,
                  f"{what}: {ours}: {farewell} packets billed that are neither in getStats nor "
                  f"checks: {row} {pair}")
            least = checks * 20
        most = (checks + FAREWELL) * SMALL
        check(least <= extra <= most,
              f"{what}: {ours}: {extra} bytes more are billed than getStats says, not {least} to "
              f"{most}: {row} {pair}")


def check_crosswise(what: str, row: Row, peer_row: Row, overflows: int) -> None:
    """What the peer sent through the relay came out here, but for drops that were counted.

    The side that closes last sends its farewell to a relayed address that is gone. A slow build of
    the server may lose datagrams in the kernel's buffers, and counts how many in all.
    """
    lost = peer_row["client_to_peer_packets"] - row["peer_to_client_packets"]
    explained = sum(row["dropped_packets"].values()) + FAREWELL + overflows
    check(0 <= lost <= explained,
          f"{what}: of the packets that its peer sent {lost} are missing, {explained} explained: "
          f"{row} {peer_row}")
    missing = peer_row["client_to_peer_bytes"] - row["peer_to_client_bytes"]
    check(0 <= missing <= lost * (DATAGRAM if overflows else SMALL),
          f"{what}: {missing} bytes are missing in {lost} packets")


def check_tap(what: str, pair: Row, row: Row, flow: Flow) -> None:
    """The bill against every packet, recounted by another program."""
    for ours, from_client in (("client_to_peer", True), ("peer_to_client", False)):
        seen = list(flow.payloads(from_client))
        # The relay drops nothing from a client but what it sends after its peer has gone.
        unsent = len(seen) - row[f"{ours}_packets"]
        limit = min(FAREWELL, sum(row["dropped_packets"].values())) if from_client else 0
        check(0 <= unsent <= limit, f"{what}: {ours}: the tap saw {len(seen)} packets, {row}")
        bytes_seen = sum(map(len, seen))
        if unsent == 0:
            check_equal(row[f"{ours}_bytes"], bytes_seen, f"{what}: {ours} against the tap")
        named = pair["bytesSent" if from_client else "bytesReceived"]
        farewell = bytes_seen - sum(len(p) for p in seen if is_stun(p)) - named
        check(0 <= farewell <= FAREWELL * SMALL,
              f"{what}: {ours}: {farewell} bytes are neither checks nor in getStats: {pair}")


def is_stun(payload: bytes) -> bool:
    return len(payload) >= 20 and payload[0] < 4 and \
        struct.unpack_from("!I", payload, 4)[0] == 0x2112A442
