"""coturn's clients through the relay: nothing is lost, and every count of every witness agrees."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass

import ledger_sql
import prometheus
import usage
from echo_peer import EchoPeer
from harness import (Context, Failure, check, check_equal, free_port_pair, thread_wakeups,
                     threads_called, wait_for)
from server import REGION, SECRET, Server
from uclient import Load, Tally, Uclient, start_turnutils_peer


@dataclass
class Case:
    """One uclient, who pays for it, and what it said."""
    name: str
    account: str
    label: str
    load: Load
    tally: Tally | None = None


def run(ctx: Context, workers: int = 1, udp_path: str = "auto") -> Server:
    echo = EchoPeer()
    ctx.on_cleanup(echo.close)
    coturn_port = free_port_pair()
    cases = make_cases(ctx, echo.port, coturn_port)
    server = Server(ctx, workers=workers, pin_workers=workers > 1, udp_path=udp_path, auth={"users": [
        {"username": c.load.username, "password": c.load.password, "account": c.account,
         "label": c.label} for c in cases if ":" not in c.load.username]}).start()
    start_turnutils_peer(ctx, coturn_port)

    running = [(case, Uclient(ctx, server, case.load, f"uclient-{case.name}")) for case in cases]
    check_reports_beside(ctx, server, [uclient for _, uclient in running])
    for case, uclient in running:
        case.tally = uclient.exact()

    wait_until_booked(ctx, server, cases)
    check_all(ctx, server, cases, echo)
    check_metrics(server, cases)
    prometheus.check_with_promtool(ctx, server)
    check_spread(server, workers)
    server.stop()
    check_all(ctx, server, cases, echo)
    check(usage.usage(ctx, server, "report")["complete"], "the report is not complete at the end")
    ledger_sql.check_sums(server)
    usage.check_integrity(server.state / "usage.db")
    return server


def check_reports_beside(ctx: Context, server: Server, uclients: list[Uclient]) -> None:
    """While clients relay, reports only grow, and never say that they are complete."""
    as_of, sums = "", (0, 0)
    for uclient in uclients:
        while not uclient.process.ends_within(0.25):
            document = usage.usage(ctx, server, "report")
            now = usage.summed(document["rows"])
            check(document["as_of"] >= as_of and now[0] >= sums[0] and now[1] >= sums[1],
                  f"a report went back from {sums} at {as_of} to {now} at {document['as_of']}")
            check(not document["complete"], "a report of a running server is complete")
            as_of, sums = document["as_of"], now


def make_cases(ctx: Context, echo: int, coturn: int) -> list[Case]:
    """The matrix against the counting peer, and the rest against coturn's and each other."""
    n = ctx.scaled(200, least=10)
    few = ctx.scaled(60, least=5)
    cases: list[Case] = []

    def add(name: str, account: str, label: str, **load: object) -> None:
        cases.append(Case(name, account, label, Load(name, f"pw-{name}", **load)))

    add("channel4", "acme", "web", peer_port=echo, messages=n, length=172)
    add("channel6", "acme", "web", peer_port=echo, messages=n, length=173, ipv6=True)
    add("send4", "acme", "voice", peer_port=echo, messages=n, length=1001, send_indications=True)
    add("send6", "globex", "", peer_port=echo, messages=n, length=62, ipv6=True,
        send_indications=True)
    add("coturn4", "globex", "", peer_port=coturn, messages=n, length=160)
    add("coturn6", "globex", "voice", peer_port=coturn, messages=few, length=99, ipv6=True,
        clients=20, extra=["-g"])
    add("pairs4", "initech", "rtp", peer_port=coturn, messages=few, length=333, clients=20,
        pairs=True)
    add("pairs6", "initech", "rtp", peer_port=coturn, messages=few, length=61, clients=20,
        pairs=True, ipv6=True, send_indications=True)
    add("padded4", "initech", "odd", peer_port=echo, messages=few, length=97, clients=20,
        extra=["-D"])
    add("mutual4", "hooli", "c2c", messages=few, length=240, clients=20)
    add("mutual6", "hooli", "c2c", messages=few, length=241, clients=20, ipv6=True,
        send_indications=True)
    for label in ("", "call:7"):
        username, password = token(ctx, "umbrella", label)
        cases.append(Case(f"token-{label or 'bare'}", "umbrella", label,
                          Load(username, password, peer_port=echo, messages=few, length=500,
                               clients=20)))
    return cases


def token(ctx: Context, account: str, label: str) -> tuple[str, str]:
    """Mints a time-limited credential with the command line."""
    labels = ["--label", label] if label else []
    done = ctx.cli("token", "--secret", SECRET, "--account", account, *labels, "--ttl", "1h")
    words = done.stdout.decode()
    fields = usage_fields(words)
    return fields["username"], fields["password"]


def usage_fields(text: str) -> dict[str, str]:
    """Reads `key: value` lines."""
    fields = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields[key.strip()] = value.strip()
    return fields


def expected(cases: list[Case]) -> int:
    """The bytes of one direction; the other one has as many."""
    return sum(c.load.sessions * c.load.messages * c.load.length for c in cases)


def wait_until_booked(ctx: Context, server: Server, cases: list[Case]) -> None:
    """The last bytes may be in the ledger before the checkpoint that brings their session's end."""
    def booked() -> bool:
        samples = prometheus.scrape(server)
        return prometheus.billed(samples) >= 2 * expected(cases)
    wait_for(booked, 30, "the ledger to hold all that the clients sent and received")
    wait_for(lambda: all(row["close_reason"] for row in usage.sessions(ctx, server)
                         if row["billable_bytes"]), 30, "the ledger to hold every session's end")


def check_all(ctx: Context, server: Server, cases: list[Case], echo: EchoPeer) -> None:
    rows = usage.sessions(ctx, server)
    for case in cases:
        check_sessions(case, [row for row in rows if row["username"] == case.load.username])
    check_equal(len(rows), sum(c.load.sessions + c.load.probes for c in cases), "sessions in all")
    check_witness(rows, cases, echo)
    check_report(ctx, server, cases)


def check_sessions(case: Case, rows: list[dict]) -> None:
    """Every client's own session has exactly its share, and the probes have nothing."""
    share = case.load.messages * case.load.length
    busy = [row for row in rows if row["billable_bytes"]]
    check_equal(len(busy), case.load.sessions, f"{case.name}: sessions with traffic")
    check_equal(len(rows) - len(busy), case.load.probes, f"{case.name}: sessions without traffic")
    for row in busy:
        got = (row["client_to_peer_bytes"], row["peer_to_client_bytes"], row["account"],
               row["label"], row["region"], row["client_to_peer_packets"],
               row["peer_to_client_packets"], row["close_reason"], row["transport"])
        want = (share, share, case.account, case.label, REGION, case.load.messages,
                case.load.messages, "refreshed_to_zero", case.load.transport)
        check_equal(got, want, f"{case.name}: session {row['session_id']}")
    if case.tally is None:
        raise Failure(f"{case.name} has no tally")
    check_equal(usage.summed(rows), (case.tally.sent_bytes, case.tally.received_bytes),
                f"{case.name}: bytes of its sessions against what uclient counted")


def check_witness(rows: list[dict], cases: list[Case], echo: EchoPeer) -> None:
    """The counting peer saw, per relayed address, what the sessions say."""
    usernames = {c.load.username for c in cases if c.load.peer_port == echo.port}
    booked: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if row["username"] in usernames and row["billable_bytes"]:
            booked[row["relayed_address"]][0] += row["client_to_peer_bytes"]
            booked[row["relayed_address"]][1] += row["peer_to_client_bytes"]
    seen = {source: [c.received_bytes, c.sent_bytes] for source, c in echo.counts.items()}
    check_equal(echo.failed_sends, 0, "sends that failed at the peer")
    check_equal(dict(booked), seen, "bytes per relayed address against what the peer counted")


def check_report(ctx: Context, server: Server, cases: list[Case]) -> None:
    """JSON and CSV, by account and by label: the sums of what the clients said."""
    one_way = expected(cases)
    check_equal(usage.summed(usage.report(ctx, server)), (one_way, one_way), "report, JSON")
    check_equal(usage.summed(usage.csv_rows(ctx, server, "report")), (one_way, one_way),
                "report, CSV")
    check_equal(usage.summed(usage.csv_rows(ctx, server, "sessions")), (one_way, one_way),
                "sessions, CSV")
    want: dict[tuple[str, str], int] = defaultdict(int)
    for case in cases:
        want[case.account, case.label] += expected([case])
    got = {(row["account"], row["label"]): row["client_to_peer_bytes"]
           for row in usage.report(ctx, server, "--by", "account,label")}
    check_equal(got, dict(want), "report by account and label")


def check_metrics(server: Server, cases: list[Case]) -> None:
    samples = prometheus.scrape(server)
    accounts: dict[str, int] = defaultdict(int)
    for case in cases:
        accounts[case.account] += expected([case])
    for direction in ("client_to_peer", "peer_to_client"):
        check_equal(prometheus.total(samples, "turn_relay_bytes_total", direction=direction),
                    expected(cases), f"turn_relay_bytes_total {direction}")
        for account, sum_ in accounts.items():
            check_equal(prometheus.value(samples, "turn_billable_bytes_total", account=account,
                                         region=REGION, direction=direction), sum_,
                        f"turn_billable_bytes_total of {account} {direction}")
    check_equal(prometheus.total(samples, "turn_relay_packets_total"),
                2 * sum(c.load.sessions * c.load.messages for c in cases),
                "turn_relay_packets_total")
    check_equal(prometheus.total(samples, "turn_metering_unpersisted_bytes"), 0,
                "turn_metering_unpersisted_bytes at rest")


def check_spread(server: Server, workers: int) -> None:
    """Each worker's thread has woken up for packets."""
    if server.process is None:
        raise Failure("the server does not run")
    wakeups = thread_wakeups(server.process.pid)
    check(sum(count > 200 for count in wakeups) >= workers,
          f"not all of {workers} workers had work: wake-ups of the threads are {wakeups}")
    if workers > 1:
        allowed = sorted(os.sched_getaffinity(0))
        check_equal(sorted(sorted(os.sched_getaffinity(thread))
                           for thread in threads_called(server.process.pid, "relay")),
                    sorted([allowed[i % len(allowed)]] for i in range(workers)),
                    "the CPUs of each pinned worker")
