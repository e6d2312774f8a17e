"""The page /nettest in Chromium: the right verdicts in each of five networks, at two widths, in
light and dark."""

from __future__ import annotations

import json
from typing import Any

import network
from browser import devtools, launch, namespace
from browser.page_server import PageServer
from harness import Context, check, check_equal, free_port
from server import Server

Row = dict[str, Any]


def run(ctx: Context) -> None:
    network.need("nft", "chromium", "certutil", "openssl", "ip")
    namespace.enter(ctx)
    authority = launch.make_authority(ctx)
    server = network.start_server(
        ctx, "turnpiked", authority, edge="ashburn",
        api={"port": free_port(), "nettest": {"account": "operator", "per_minute": 1}})
    edges: list[Row] = []
    pages = PageServer([], {"/v1/edges": {"edges": edges}})
    ctx.on_cleanup(pages.close)
    page = devtools.Page(ctx, namespace.ADDRESS, authority)
    page.open(f"{pages.url}nettest?seconds=1&timeout=5&credential")
    four_networks(ctx, page, edges, server, authority)
    wrong_credentials(page, edges)
    page.look(ctx, "credentials")
    own_credential(page, server)


def four_networks(ctx: Context, page: devtools.Page, edges: list[Row], server: Server,
                  authority: launch.Authority) -> None:
    """Each is an edge of one fleet, so that one run of the page tests them all."""
    blocked = network.start_server(ctx, "blocked", authority)
    expired = network.start_server(ctx, "expired", launch.make_expired(ctx, authority))
    network.block_udp(ctx, blocked.listener_port("udp"))
    # With this seed no 200 packets in a row lose less than 4 %, whichever of them are measured.
    lossy = network.lossy_port(ctx, server, seed=107)
    edges += [edge("blocked", uris(blocked)), edge("good", uris(server)),
              edge("lossy", [f"turn:{namespace.ADDRESS}:{lossy}?transport=udp"]),
              edge("expired", uris(expired))]
    tested = test(page, "s3cret")
    (ctx.directory / "report.json").write_text(json.dumps(tested))
    page.look(ctx, "nettest")
    reports = {each["name"]: each for each in tested["edges"]}
    for name, report in reports.items():
        network.check_outcomes(name, report)
    check(tested["nearest"] != "lossy", "an edge 150 ms away is not the nearest")
    check_equal([each["name"] for each in tested["edges"]][-1], "lossy", "the farthest edge")
    for name, path, step in (("blocked", "stun-udp", "binding"),
                             ("blocked", "turn-udp", "allocate"),
                             ("expired", "turn-tls", "allocate")):
        failed = path_of(reports[name], path)["steps"][-1]
        check_equal((failed["step"], failed["ok"]), (step, False), f"{name}: {path}")
    works = [path["path"] for path in reports["good"]["paths"] if path["works"]]
    check_equal(works, ["stun-udp", "turn-udp", "turn-tcp", "turn-tls"], "what works")
    check("Open outgoing UDP" in reports["blocked"]["advice"][0], "advice where UDP is blocked")
    check("certificate" in reports["expired"]["advice"][0], "advice for an expired certificate")
    quality = path_of(reports["lossy"], "turn-udp")["quality"]
    check(quality["rtt_p50_ms"] >= 150 and quality["received"] < quality["sent"], f"{quality}")
    check(quality["sent"] > 50, f"a loss near a limit is not measured for longer: {quality}")
    check_equal(page.problems, [], "errors in the page")


def wrong_credentials(page: devtools.Page, edges: list[Row]) -> None:
    edges[:] = [each for each in edges if each["name"] == "good"]
    report = test(page, "wrong")["edges"][0]
    network.check_outcomes("credentials", report)
    for name in ("turn-udp", "turn-tcp", "turn-tls"):
        check_equal(path_of(report, name)["steps"][-1]["fault"], "credentials", name)
    check_equal(len(report["advice"]), 1, f"advice: {report['advice']}")


def own_credential(page: devtools.Page, server: Server) -> None:
    """As it is in earnest: the page, the edge and the credential come from the server."""
    page.open(f"http://127.0.0.1:{server.config['api']['port']}/nettest?seconds=0.5&timeout=6")
    report = test(page)["edges"][0]
    check_equal(report["name"], "ashburn", "the edge")
    check(path_of(report, "turn-udp")["works"], f"{path_of(report, 'turn-udp')}")
    page.evaluate("document.getElementById('start').click()")
    page.wait("!document.getElementById('error').hidden", 10)
    check("Too many tests" in page.evaluate("document.getElementById('error').textContent"),
          "a second credential within the minute")


def uris(server: Server) -> list[str]:
    """STUN by address: Chromium asks a resolver for its name, whatever rules it was given."""
    port = server.listener_port("udp")
    return [f"stun:{namespace.ADDRESS}:{port}", f"turn:{launch.HOST}:{port}?transport=udp",
            f"turn:{launch.HOST}:{port}?transport=tcp",
            f"turns:{launch.HOST}:{server.listener_port('tls')}?transport=tcp"]


def edge(name: str, addresses: list[str]) -> Row:
    return {"name": name, "region": "us1", "hosts": [launch.HOST], "uris": addresses}


def path_of(report: Row, name: str) -> Row:
    return next(path for path in report["paths"] if path["path"] == name)


def test(page: devtools.Page, password: str = "") -> Row:
    """Runs the test, as alice if there is a password, and returns the report."""
    if password:
        page.evaluate(f"""document.getElementById('username').value = 'alice';
            document.getElementById('password').value = '{password}'""")
    page.evaluate("document.getElementById('start').click()")
    page.wait("document.body.dataset.state === 'done'", 90)
    check_equal(page.evaluate("document.getElementById('error').textContent"), "", "complaints")
    report: Row = page.evaluate("window.networkTestReport")
    return report
