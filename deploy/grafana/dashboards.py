#!/usr/bin/env python3
"""Writes the dashboards: deploy/grafana/dashboards.py [DIRECTORY], by default the one beside it.

A panel is a line here; what Grafana wants around it is the same for all. tests/deploy holds the
written files against this program, and their metrics against those of a running server.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# One source, named by a variable, so that the dashboards fit any Grafana.
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24


def query(expression: str, legend: str, instant: bool = False) -> dict[str, Any]:
    return {"datasource": SOURCE, "expr": expression, "legendFormat": legend, "instant": instant,
            "range": not instant, "format": "table" if instant else "time_series"}


def panel(title: str, unit: str, *queries: tuple[str, str], kind: str = "timeseries",
          width: int = 8, height: int = 8, text: str = "", stack: bool = False,
          thresholds: list[tuple[str, float | None]] | None = None) -> dict[str, Any]:
    """One panel. `queries`: pairs of PromQL and legend; `thresholds`: colours from a value on."""
    instant = kind in ("table", "piechart")
    defaults: dict[str, Any] = {"unit": unit, "min": 0}
    if kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 25 if stack else 8, "lineWidth": 1,
                              "stacking": {"mode": "normal" if stack else "none"}}
    if thresholds:
        defaults["color"] = {"mode": "thresholds"}
        defaults["thresholds"] = {"mode": "absolute", "steps": [
            {"color": color, "value": value} for color, value in thresholds]}
    made = [{**query(expression, legend, instant), "refId": chr(ord("A") + i)}
            for i, (expression, legend) in enumerate(queries)]
    options: dict[str, Any] = {}
    if kind in ("stat", "piechart"):
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "values": instant}}
    if kind == "timeseries":
        options = {"legend": {"displayMode": "list", "placement": "bottom"},
                   "tooltip": {"mode": "multi", "sort": "desc"}}
    made_panel = {"type": kind, "title": title, "description": text, "datasource": SOURCE,
                  "targets": made, "fieldConfig": {"defaults": defaults, "overrides": []},
                  "options": options, "gridPos": {"w": width, "h": height}}
    if kind == "table":
        made_panel["transformations"] = [
            {"id": "organize", "options": {"excludeByName": {"Time": True},
                                           "renameByName": {"Value": title}}}]
    return made_panel


def row(title: str) -> dict[str, Any]:
    return {"type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": {"w": WIDTH, "h": 1}}


def variable(name: str, label: str) -> dict[str, Any]:
    ask = f"label_values(turn_build_info, {name})"
    return {"type": "query", "name": name, "label": label, "datasource": SOURCE, "query": ask,
            "definition": ask, "refresh": 2, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"text": "All", "value": "$__all"}, "sort": 1}


def dashboard(uid: str, title: str, variables: list[dict[str, Any]],
              panels: list[dict[str, Any]], span: str) -> dict[str, Any]:
    x = y = tallest = 0
    for number, each in enumerate(panels, 1):
        place = each["gridPos"]
        if x + place["w"] > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        each["id"] = number
        place["x"], place["y"] = x, y
        x, tallest = x + place["w"], max(tallest, place["h"])
    source = {"type": "datasource", "name": "source", "label": "Prometheus", "query": "prometheus",
              "current": {}}
    return {"uid": uid, "title": title, "tags": ["turnpike"], "schemaVersion": 38, "version": 1,
            "timezone": "utc", "editable": True, "graphTooltip": 1, "refresh": "30s",
            "time": {"from": f"now-{span}", "to": "now"},
            "templating": {"list": [source, *variables]}, "annotations": {"list": []},
            "panels": panels}


GREEN_IF_ONE = [("red", None), ("green", 1.0)]
GREEN_IF_ZERO = [("green", None), ("red", 1.0)]
RATIO = [("green", None), ("orange", 0.7), ("red", 0.85)]
I = 'instance=~"$instance"'


def rate(counter: str) -> str:
    return f"rate({counter}{{{I}}}[$__rate_interval])"


def operations() -> dict[str, Any]:
    def quantile(q: str, name: str) -> str:
        return f"histogram_quantile({q}, sum by (le) ({rate(name + '_bucket')}))"

    panels = [
        panel("Relays up", "none", ('sum(up{job="turnpike",' + I + '})', "up"), kind="stat",
              width=4, height=4),
        panel("Allocations", "none", (f"sum(turn_allocations{{{I}}})", "alive"), kind="stat",
              width=4, height=4),
        panel("Relayed", "bps", (f"8 * sum({rate('turn_relay_bytes_total')})",
                                 "payload"), kind="stat", width=4, height=4),
        panel("Ledgers failing", "none", (f"count(turn_metering_healthy{{{I}}} == 0) or vector(0)",
                                          "failing"),
              kind="stat", width=4, height=4, thresholds=GREEN_IF_ZERO),
        panel("Draining", "none", (f"sum(turn_draining{{{I}}})", "draining"), kind="stat", width=4,
              height=4),
        panel("Configurations in force", "percentunit",
              (f"avg(turn_config_last_reload_successful{{{I}}})", "in force"), kind="stat", width=4,
              height=4, thresholds=GREEN_IF_ONE),
        row("Traffic"),
        panel("Relayed payload by direction", "bps",
              (f"8 * sum by (direction) ({rate('turn_relay_bytes_total')})",
               "{{direction}}"), stack=True),
        panel("Packets by transport", "pps",
              (f"sum by (transport) ({rate('turn_relay_packets_total')})",
               "{{transport}}"), stack=True),
        panel("Dropped packets by reason", "pps",
              (f"sum by (reason) ({rate('turn_relay_dropped_packets_total')}) > 0",
               "{{reason}}"), text="Never billed. RUNBOOK: TurnpikeDropsPackets."),
        row("Sessions"),
        panel("Allocations by transport", "none",
              (f"sum by (transport, family) (turn_allocations{{{I}}})", "{{transport}} {{family}}"),
              stack=True),
        panel("Allocations granted and ended", "ops",
              (f"sum({rate('turn_allocations_created_total')})", "granted"),
              (f"sum by (reason) ({rate('turn_allocations_closed_total')}) > 0",
               "ended: {{reason}}")),
        panel("How long allocations live", "s",
              (quantile("0.5", "turn_allocation_duration_seconds"), "half of them"),
              (quantile("0.95", "turn_allocation_duration_seconds"), "95 %")),
        panel("Error responses by code", "ops",
              (f"sum by (code) ({rate('stun_errors_total')}) > 0", "{{code}}"),
              text="401 and 438 are the ordinary challenge."),
        panel("Requests not authenticated", "ops",
              (f"sum by (reason) ({rate('turn_auth_failures_total')}) > 0",
               "{{reason}}")),
        panel("STUN messages by method", "ops",
              (f"sum by (method) ({rate('stun_requests_total')}) > 0",
               "{{method}}")),
        row("Limits"),
        panel("Use of limits", "percentunit",
              (f"max by (instance, quota) (turn_quota_utilization_ratio{{{I}}})",
               "{{instance}} {{quota}}"), thresholds=RATIO),
        panel("Held back or refused by limits", "ops",
              (f"sum by (limit) ({rate('turn_limited_total')}) > 0", "{{limit}}")),
        panel("File descriptors", "percentunit",
              ('process_open_fds{job="turnpike",' + I + "} / process_max_fds", "{{instance}}"),
              thresholds=RATIO),
        panel("Connections", "none",
              (f"sum by (transport) (turn_connections{{{I}}})", "{{transport}}"), stack=True),
        panel("Worker lateness", "s",
              (f"max by (instance) (turn_loop_lag_seconds{{{I}}})", "{{instance}}")),
        panel("Datagrams lost in the kernel", "pps",
              (f"sum by (instance) ({rate('turn_receive_overflows_total')})",
               "{{instance}}")),
        panel("CPU", "none",
              ('rate(process_cpu_seconds_total{job="turnpike",' + I + "}[$__rate_interval])",
               "{{instance}}"), text="In cores."),
        row("Ledger and certificates"),
        panel("Bytes not in the ledger yet", "bytes",
              (f"turn_metering_unpersisted_bytes{{{I}}}", "{{instance}}"),
              text="A saw-tooth as high as a checkpoint interval is normal."),
        panel("How far the ledger is behind", "s",
              (f"time() - turn_metering_last_commit_timestamp_seconds{{{I}}}", "{{instance}}")),
        panel("How long checkpoints take", "s",
              (quantile("0.5", "turn_metering_commit_seconds"), "half of them"),
              (quantile("0.99", "turn_metering_commit_seconds"), "99 %")),
        panel("TLS and DTLS handshakes", "ops",
              (f"sum by (result) ({rate('turn_tls_handshakes_total')})", "TLS {{result}}"),
              (f"sum by (result) ({rate('turn_dtls_handshakes_total')})", "DTLS {{result}}")),
        panel("Certificates expire in", "s",
              (f"turn_tls_certificate_expiry_timestamp_seconds{{{I}}} - time()", "{{instance}}")),
        panel("Memory", "bytes",
              ('process_resident_memory_bytes{job="turnpike",' + I + "}", "{{instance}}")),
        panel("Age of the newest backup", "s",
              (f"time() - turn_metering_last_backup_timestamp_seconds{{{I}}}", "{{instance}}"),
              text="Of the ledger; empty without metering.backup."),
    ]
    return dashboard("turnpike-operations", "Turnpike: operations",
                     [variable("instance", "Relay")], panels, "6h")


def usage() -> dict[str, Any]:
    where = 'region=~"$region"'
    billable = "turn_billable_bytes_total{" + where + "}"
    per_region = f"sum by (region) (increase({billable}[$__range]))"
    priced = f"{per_region} / 1e9 * on (region) group_left () turnpike:price_per_gb"
    estimate = ("An estimate from the list prices in deploy/prometheus/prices.rules.yml, without "
                "free volume, tiers and agreements. `turnpike usage invoice` says what is billed.")
    panels = [
        panel("Billable", "decbytes", (f"sum(increase({billable}[$__range]))", "billable"),
              kind="stat", width=6, height=4, text="In the ledger, over the time shown."),
        panel("Revenue, estimated", "none", (f"sum({priced})", "revenue"), kind="stat", width=6,
              height=4, text=estimate),
        panel("Billable now", "bps", (f"8 * sum(rate({billable}[$__rate_interval]))", "billable"),
              kind="stat", width=6, height=4),
        panel("Accounts with usage", "none",
              (f"count(count by (account) (increase({billable}[$__range]) > 0)) or vector(0)",
               "accounts"),
              kind="stat", width=6, height=4, text="Past admin.account_series they count as one."),
        row("By region"),
        panel("Billable by region", "bps",
              (f"8 * sum by (region) (rate({billable}[$__rate_interval]))", "{{region}}"),
              width=12, stack=True),
        panel("Revenue an hour by region, estimated", "none",
              (f"3600 * sum by (region) (rate({billable}[$__rate_interval])) / 1e9"
               " * on (region) group_left () turnpike:price_per_gb", "{{region}}"),
              width=12, stack=True, text=estimate),
        panel("Bytes by region", "decbytes", (per_region, "{{region}}"), kind="table"),
        panel("Revenue by region, estimated", "none", (priced, "{{region}}"), kind="table",
              text=estimate),
        panel("Share of directions", "decbytes",
              (f"sum by (direction) (increase({billable}[$__range]))", "{{direction}}"),
              kind="piechart"),
        row("By account"),
        panel("Top accounts", "bps",
              (f"8 * topk(10, sum by (account) (rate({billable}[$__rate_interval])))",
               "{{account}}"), width=12, stack=True),
        panel("Top accounts, bytes", "decbytes",
              (f"topk(20, sum by (account) (increase({billable}[$__range])))", "{{account}}"),
              kind="table", width=12),
        row("Is it complete?"),
        panel("Relayed against billed", "bps",
              ("8 * sum(rate(turn_relay_bytes_total{" + where + "}[$__rate_interval]))", "relayed"),
              (f"8 * sum(rate({billable}[$__rate_interval]))", "in the ledger"), width=12,
              text="The ledger follows by one checkpoint. A lasting gap: RUNBOOK, "
                   "TurnpikeMeteringFails."),
        panel("Relayed and not in the ledger yet", "decbytes",
              ("sum by (region) (turn_metering_unpersisted_bytes"
               " * on (instance) group_left (region) turn_build_info{" + where + "})",
               "{{region}}"), width=12),
    ]
    return dashboard("turnpike-usage", "Turnpike: usage and revenue",
                     [variable("region", "Region")], panels, "24h")


def main(argv: list[str]) -> int:
    directory = Path(argv[1]) if len(argv) > 1 else Path(__file__).parent / "dashboards"
    for made in (operations(), usage()):
        path = directory / f"{made['uid']}.json"
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
