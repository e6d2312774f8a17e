"""A real Prometheus scrapes a real server with the alert rules, and answers the dashboards."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import prometheus
from deploy_alerts import ROOT, RULES
from deploy_dashboards import expressions
from echo_peer import EchoPeer
from harness import Context, Skipped, check, check_equal, free_port, wait_for
from server import REGION, Server
from traffic import Call


class Prometheus:
    """One prometheus that scrapes `server` every second."""

    def __init__(self, ctx: Context, server: Server):
        self.port = free_port()
        # The compose file's own configuration, with this test's places and a faster pace.
        config = (ROOT / "deploy/compose/prometheus.yml").read_text()
        for old, new in (("127.0.0.1:9641", f"127.0.0.1:{server.admin_port}"),
                         ("/etc/prometheus/rules", str(RULES.parent)),
                         ("interval: 15s", "interval: 1s")):
            check(old in config, f"deploy/compose/prometheus.yml has no {old}")
            config = config.replace(old, new)
        path = ctx.directory / "prometheus.yml"
        path.write_text(config)
        ctx.run(["promtool", "check", "config", path])
        ctx.spawn(["prometheus", f"--config.file={path}",
                   f"--storage.tsdb.path={ctx.directory / 'tsdb'}",
                   f"--web.listen-address=127.0.0.1:{self.port}"], "prometheus")

    def get(self, path: str, **parameters: str) -> Any:
        """Answers `data` of the API; None while Prometheus is not there yet."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None
            raise
        except OSError:
            return None

    def value(self, expression: str) -> float | None:
        """The one value of an instant query; None without any."""
        data = self.get("query", query=expression)
        found = data["result"] if data else []
        check(len(found) <= 1, f"{expression} has {len(found)} values")
        return float(found[0]["value"][1]) if found else None


def check_dashboards(real: Prometheus) -> None:
    """Every query has an answer, but for those of what did not happen here."""
    absent = ("> 0", "turn_tls_certificate_expiry_timestamp_seconds")
    for expression in expressions():
        if not any(word in expression for word in absent):
            wait_for(lambda: real.get("query", query=expression)["result"], 20,
                     f"an answer to {expression}")
    revenue = next(e for e in expressions() if "turnpike:price_per_gb" in e)
    check((real.value(revenue) or 0) > 0, f"no revenue: {revenue}")


def run(ctx: Context) -> None:
    if shutil.which("prometheus") is None:
        raise Skipped("prometheus (Debian package prometheus) is not installed")
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    copy = ctx.directory / "copy"
    copy.mkdir()
    server = Server(ctx, metering={"backup": {"directory": str(copy)}}).start()
    real = Prometheus(ctx, server)
    wait_for(lambda: real.value("up") == 1, 30, "Prometheus's first scrape")
    billed = f'sum(turn_billable_bytes_total{{account="acme",region="{REGION}"}})'
    wanted = 0
    for _ in range(2):  # the second time Prometheus sees the counter grow
        call = Call(server, peer, b"alice", b"s3cret")
        call.echo(b"x" * 1000, 20)
        call.release()
        wanted += 2 * call.echoed_bytes
        wait_for(lambda: real.value(billed) == wanted, 30, f"{wanted} billable bytes in Prometheus")
    check_equal(prometheus.billed(prometheus.scrape(server)), wanted, "the server's own counter")
    check_dashboards(real)

    rules = [rule for group in real.get("rules")["groups"] for rule in group["rules"]]
    check(len(rules) >= 20, f"Prometheus has {len(rules)} rules")

    def evaluated() -> bool:
        groups = real.get("rules")["groups"]
        return all(rule["health"] == "ok" for group in groups for rule in group["rules"])

    wait_for(evaluated, 30, "every rule to be evaluated without an error")
    check_equal(real.get("alerts")["alerts"], [], "alerts beside a healthy server")
    server.stop()
    wait_for(lambda: [alert["labels"]["alertname"] for alert in real.get("alerts")["alerts"]]
             == ["TurnpikeDown"], 30, "TurnpikeDown after the server's end")
