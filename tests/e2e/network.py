"""The five networks in which `turnpike check` and the page /nettest must come to the right verdict:
a good relay, one whose UDP is blocked, wrong credentials, an expired certificate, and a path that
loses 5 % and takes 150 ms longer."""

from __future__ import annotations

import shutil
from typing import Any

from browser import launch, namespace
from harness import Context, Failure, Skipped, free_port
from impair import Impairment, ImpairingProxy
from server import Server

LOSSY = Impairment(loss=0.05, delay=150)

# Of each case, by profile.
OUTCOMES = {
    "good": {"twilio-voice": "pass", "spoke": "pass", "telnyx": "pass"},
    "blocked": {"twilio-voice": "degraded", "spoke": "degraded", "telnyx": "degraded"},
    "credentials": {"twilio-voice": "fail", "spoke": "fail", "telnyx": "fail"},
    "expired": {"twilio-voice": "pass", "spoke": "pass", "telnyx": "pass"},
    "lossy": {"twilio-voice": "fail", "spoke": "fail", "telnyx": "pass"},
}


def need(*programs: str) -> None:
    """Skips the test where a program is not installed."""
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        raise Skipped(f"not installed: {', '.join(absent)} (tools/install test)")


def check_outcomes(case: str, report: dict[str, Any]) -> None:
    """Each profile's outcome is the case's. A busy machine makes packets uneven by itself, in any
    network: a verdict that fails by no more than that is not held against the case."""
    for verdict in report["verdicts"]:
        want = OUTCOMES[case][verdict["profile"]]
        misses = {miss["limit"] for miss in verdict["misses"]}
        if verdict["outcome"] != want and not (misses and misses <= {"jitter", "bandwidth"}):
            raise Failure(f"{case}: {verdict['profile']} should be {want}: {verdict}")


def start_server(ctx: Context, name: str, certificate: launch.Authority, **changes: Any) -> Server:
    """A relay at the namespace's address, UDP and TCP on one port, that allows no peer but its
    own relayed addresses."""
    port, tls = (free_port(namespace.ADDRESS) for _ in range(2))
    return Server(ctx, name, listen=[
        {"transport": "udp", "address": namespace.ADDRESS, "port": port},
        {"transport": "tcp", "address": namespace.ADDRESS, "port": port},
        {"transport": "tls", "address": namespace.ADDRESS, "port": tls},
        {"transport": "udp", "address": namespace.ADDRESS6, "port": port},
    ], relay={"addresses": [{"bind": namespace.ADDRESS}, {"bind": namespace.ADDRESS6}],
              "peers": {"allow": []}},
        tls={"certificate": str(certificate.certificate), "key": str(certificate.key)},
        **changes).start()


def block_udp(ctx: Context, port: int) -> None:
    """Drops what goes to that UDP port, in the namespace that the test is in."""
    ctx.run(["nft", "add table inet test"])
    ctx.run(["nft", "add chain inet test input { type filter hook input priority 0 ; }"])
    ctx.run(["nft", f"add rule inet test input udp dport {port} drop"])


def lossy_port(ctx: Context, server: Server, seed: int = 1) -> int:
    """The port of a proxy before the server's UDP, for the lossy case."""
    proxy = ImpairingProxy(namespace.ADDRESS, (namespace.ADDRESS, server.listener_port("udp")),
                           up=LOSSY, seed=seed)
    ctx.on_cleanup(proxy.close)
    return proxy.port
