"""The dashboards are what their program writes, and ask only for metrics that there are."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy_alerts import ROOT, RULES
from harness import Context, check, check_equal

METRICS = ROOT / "server/ops/metrics.cc"
DASHBOARDS = ROOT / "deploy/grafana/dashboards"
# What no server has: Prometheus makes `up`, and the rules of prices make theirs.
MADE_ELSEWHERE = {"up", "turnpike:price_per_gb"}
_METRIC = re.compile(r"\b((?:turn|turnpike|stun|process)[a-z_:]*_[a-z_]+|up(?=\{))")
VARIABLES = {"$__rate_interval": "5m", "$__range": "6h", "$instance": ".*", "$region": ".*"}


def run(ctx: Context) -> None:
    ctx.run([sys.executable, ROOT / "deploy/grafana/dashboards.py", ctx.directory])
    written = {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
    made = {path.name: path.read_text() for path in ctx.directory.glob("turnpike-*.json")}
    check_equal(written, made, "deploy/grafana/dashboards, which dashboards.py writes")

    known = table() | MADE_ELSEWHERE
    unknown = {name for expression in [*expressions(), RULES.read_text()]
               for name in metrics_in(expression)} - known
    check_equal(unknown, set(), "metrics that are not in server/ops/metrics.cc")
    check("turn_no_such_metric" in metrics_in("rate(turn_no_such_metric[5m])"), "metrics_in")
    check_layout()
    check_compose()


def table() -> set[str]:
    """The names in THE table of metrics, with a histogram's series. /metrics leaves out what has no
    value yet, so it is no list of them."""
    rows = re.findall(r'^ +\{"(\w+)", (k\w+),', METRICS.read_text(), re.MULTILINE)
    check(len(rows) > 30, "cannot read THE table of metrics")
    return {name + suffix for name, kind in rows
            for suffix in (("_bucket", "_sum", "_count") if kind == "kHistogram" else ("",))}


def metrics_in(text: str) -> set[str]:
    """The metrics that PromQL, or a file of rules, names."""
    text = re.sub(r'"[^"]*"|group_left \([^)]*\)|#.*', "", text)
    text = re.sub(r"^\s*(?:- name|runbook|summary):.*$", "", text, flags=re.MULTILINE)
    return set(_METRIC.findall(text))


def expressions() -> Iterator[str]:
    """What the dashboards ask Prometheus, with their variables filled in."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield filled(target["expr"])


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    check("$" not in expression, f"a variable that no dashboard has: {expression}")
    return expression


def check_layout() -> None:
    """Panels have a unit and a source, lie within 24 columns, and none lies on another."""
    for path in DASHBOARDS.glob("*.json"):
        taken: dict[tuple[int, int], str] = {}
        for panel in json.loads(path.read_text())["panels"]:
            check(bool(panel["title"]), f"{path.name}: a panel without a title")
            check_place(path.name, panel, taken)
            if panel["type"] != "row":
                check(bool(panel["targets"]), f"{path.name}: {panel['title']} asks nothing")
                check(bool(panel["fieldConfig"]["defaults"]["unit"]), f"{panel['title']}: unit")


def check_place(name: str, panel: dict[str, Any], taken: dict[tuple[int, int], str]) -> None:
    at = panel["gridPos"]
    check(at["x"] + at["w"] <= 24, f"{name}: {panel['title']} is too wide")
    for x in range(at["x"], at["x"] + at["w"]):
        for y in range(at["y"], at["y"] + at["h"]):
            other = taken.setdefault((x, y), panel["title"])
            check(other == panel["title"], f"{name}: {panel['title']} lies on {other}")


def check_compose() -> None:
    """What the compose file mounts is there, and Grafana finds the dashboards."""
    compose = ROOT / "deploy/compose/compose.yaml"
    mounts = dict(re.findall(r"^ +- (\.\S+):(/[^:\s]+):ro$", compose.read_text(), re.MULTILINE))
    check_equal(len(mounts), 4, "files that the compose file mounts")
    for source in mounts:
        check((compose.parent / source).exists(), f"{compose.name} mounts {source}: not there")
    provider = ROOT / "deploy/grafana/provisioning/dashboards/turnpike.yaml"
    check(f"path: {mounts['../grafana/dashboards']}" in provider.read_text(),
          f"{provider.name} looks elsewhere than the compose file mounts")
