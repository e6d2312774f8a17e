"""turnpike check: the right verdict, advice and exit status in each of five networks."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any

import network
from browser import launch, namespace
from browser.page_server import PageServer
from harness import Context, check, check_equal
from server import SECRET, Server

PASSES, FAILS, LIMITED = 0, 1, 3

Row = dict[str, Any]


def run(ctx: Context) -> None:
    network.need("nft", "openssl", "ip")
    namespace.enter(ctx)
    # No name server answers here; the host's patience with it is not what is tested.
    os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
    ctx.on_cleanup(lambda: os.environ.pop("RES_OPTIONS"))
    authority = launch.make_authority(ctx)
    server = network.start_server(ctx, "turnpiked", authority)
    good(ctx, server, authority)
    credentials(ctx, server, authority)
    lossy(ctx, server)
    blocked(ctx, server, authority)
    expired(ctx, authority)
    dns(ctx)
    wrong_usage(ctx)
    server.stop()


def edge(ctx: Context, host: str, server: Server, authority: launch.Authority, *more: str,
         status: int, credential: tuple[str, ...] = ("--user", "alice", "--password", "s3cret")
         ) -> tuple[Row, str]:
    """Checks the host; returns the edge's part of the report, and the table."""
    path = ctx.directory / "check.json"
    done = ctx.cli("check", f"{host}:{server.listener_port('udp')}",
                   "--tls-port", str(server.listener_port("tls")), *credential,
                   "--ca", authority.authority, "--json", path, "--duration", "700ms",
                   "--timeout", "1s", "--profile", "telnyx", "--profile", "twilio-voice", *more,
                   status=status)
    check_equal(done.stderr, b"", "progress in a pipe")
    return json.loads(path.read_text())["edges"][0], done.stdout.decode()


def path_of(report: Row, name: str) -> Row:
    return next(path for path in report["paths"] if path["path"] == name)


def failure(report: Row, name: str) -> tuple[str, str]:
    """The step of a path that failed, and how."""
    last = path_of(report, name)["steps"][-1]
    check(not last["ok"], f"{name} did not fail: {last}")
    return last["step"], last["fault"]


def good(ctx: Context, server: Server, authority: launch.Authority) -> None:
    report, table = edge(ctx, namespace.ADDRESS, server, authority, status=PASSES)
    network.check_outcomes("good", report)
    check_equal(report["advice"], [], "advice for a good relay")
    check_equal(report["nat_mapping"], "none", "a NAT on the same host")
    for name in ("turn-udp", "turn-tcp", "turn-tls"):
        quality = path_of(report, name)["quality"]
        check_equal((quality["sent"], quality["received"]), (35, 35), f"{name}: packets")
        check(0 < quality["rtt_p50_ms"] < 50, f"{name}: {quality}")
    tls = path_of(report, "turn-tls")["tls"]
    check_equal((tls["versions"], tls["names"], tls["problem"]),
                (["TLSv1.3", "TLSv1.2"], [launch.HOST, "localhost", namespace.ADDRESS],
                 None), "TLS")
    check(" pass " in table and "Open" not in table, f"the table: {table}")
    report, _ = edge(ctx, f"[{namespace.ADDRESS6}]", server, authority, "--insecure",
                     status=PASSES, credential=("--secret", SECRET, "--account", "acme"))
    check(path_of(report, "turn-ipv6")["works"], f"IPv6: {path_of(report, 'turn-ipv6')}")


def credentials(ctx: Context, server: Server, authority: launch.Authority) -> None:
    report, _ = edge(ctx, namespace.ADDRESS, server, authority, status=FAILS,
                     credential=("--user", "alice", "--password", "wrong"))
    network.check_outcomes("credentials", report)
    check_equal({failure(report, name) for name in ("turn-udp", "turn-tcp", "turn-tls")},
                {("allocate", "credentials")}, "where wrong credentials fail")
    check(path_of(report, "stun-udp")["works"], "STUN needs no credentials")
    check_equal(len(report["advice"]), 1, f"advice: {report['advice']}")


def lossy(ctx: Context, server: Server) -> None:
    """Through the list of edges: the near one is named first, and decides."""
    port = network.lossy_port(ctx, server)
    uri = f"turn:{namespace.ADDRESS}:{port}?transport=udp"
    page = PageServer([], {"/v1/edges": {"edges": [
        {"name": "far", "region": "us1", "uris": ["turn:far.invalid:1?transport=udp"]},
        {"name": "lossy", "region": "us2", "uris": [uri]}]}})
    ctx.on_cleanup(page.close)
    done = ctx.cli("check", "--edges", f"{page.url}v1/edges", "--user", "alice", "--password",
                   "s3cret", "--duration", "4s", "--json", "-", status=FAILS)
    report = json.loads(done.stdout)
    check_equal(report["nearest"], "lossy", "the nearest edge")
    near = report["edges"][0]
    network.check_outcomes("lossy", near)
    check_equal(near["verdicts"][2]["grade"], "acceptable", "telnyx's grade at 150 ms")
    for verdict, limits in zip(near["verdicts"], ({"loss"}, {"latency", "loss"}, set())):
        missed = {miss["limit"] for miss in verdict["misses"]}
        check(limits <= missed, f"what {verdict['profile']} misses: {missed}")
    quality = path_of(near, "turn-udp")["quality"]
    check(150 <= quality["rtt_p50_ms"] < 190, f"a round trip over 150 ms: {quality['rtt_p50_ms']}")
    check(3 < quality["loss_percent"] < 8, f"a loss of 5 %: {quality['loss_percent']}")
    check("skipped" in path_of(near, "turn-tcp"), "TCP is not offered")
    ctx.cli("check", "--edges", f"{page.url}v1/edges", "--user", "alice", "--password", "s3cret",
            "--duration", "500ms", "--profile", "telnyx", status=PASSES)


def blocked(ctx: Context, server: Server, authority: launch.Authority) -> None:
    network.block_udp(ctx, server.listener_port("udp"))
    report, table = edge(ctx, namespace.ADDRESS, server, authority, status=LIMITED)
    network.check_outcomes("blocked", report)
    check_equal({failure(report, name) for name in ("stun-udp", "turn-udp")},
                {("binding", "silent"), ("challenge", "silent")}, "where blocked UDP fails")
    check("Open outgoing UDP" in report["advice"][0], f"advice: {report['advice']}")
    check("LIMITED" in table and "error 701" in table, f"the table: {table}")


def expired(ctx: Context, authority: launch.Authority) -> None:
    server = network.start_server(ctx, "expired", launch.make_expired(ctx, authority))
    report, _ = edge(ctx, namespace.ADDRESS, server, authority, status=PASSES)
    network.check_outcomes("expired", report)
    check_equal(failure(report, "turn-tls"), ("tls", "certificate"), "where it fails")
    check("expired on" in report["advice"][0], f"advice: {report['advice']}")
    server.stop()


def dns(ctx: Context) -> None:
    """A resolver that repeats the option with a scope, as one that passes it on does."""
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind((namespace.ADDRESS, 0))
    ctx.on_cleanup(resolver.close)
    at = f"{namespace.ADDRESS}:{resolver.getsockname()[1]}"
    for scope, status, sentence in ((24, PASSES, b"and the zone used it"),
                                    (0, LIMITED, b"does not depend on it")):
        thread = threading.Thread(target=answer_once, args=(resolver, scope), daemon=True)
        thread.start()
        done = ctx.cli("check", "--dns", "turn.example", "--resolver", at, status=status)
        check(sentence in done.stdout, f"--dns with scope {scope}: {done.stdout!r}")
        thread.join()


def answer_once(resolver: socket.socket, scope: int) -> None:
    query, client = resolver.recvfrom(4096)
    # The option stands last: source prefix, scope prefix, three bytes of address.
    resolver.sendto(query[:2] + b"\x81\x80" + query[4:-4] + bytes([scope]) + query[-3:], client)


def wrong_usage(ctx: Context) -> None:
    for arguments, status, sentence in (
            ((), 1, b"name a HOST"),
            (("turn.invalid",), 1, b"who logs in?"),
            (("turn.invalid", "--user", "a", "--profile", "none"), 2, b"--profile"),
            (("turn.invalid", "--user", "a", "--duration", "1h"), 1, b"--duration: use"),
            (("turn.invalid", "--user", "a"), 1, b"cannot be resolved"),
            (("--edges", "http://127.0.0.1:1/", "--user", "a"), 1, b"cannot reach")):
        done = ctx.cli("check", *arguments, status=status)
        check(sentence in done.stdout + done.stderr, f"{arguments}: {done.stdout + done.stderr!r}")
