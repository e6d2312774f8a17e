"""What befalls the process: a log that nobody reads, a stop, a stalled worker, a storm of restarts,
a damaged ledger. Calls go on or end as deploy/RUNBOOK.md promises, and the books are right.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import ledger_sql
import prometheus
import strace
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Call

QUESTION = b"are you there"


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    unread_log(ctx, peer)
    stop_and_go_on(ctx, peer)
    stalled_worker(ctx, peer)
    server = restart_storm(ctx, peer)
    damaged_ledger(ctx, server, peer)


def unread_log(ctx: Context, peer: EchoPeer) -> None:
    """Lines are lost, nothing waits for the reader, and what was lost is told."""
    server = Server(ctx, "unread", log={"level": "debug"})
    server.write_config()
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([ctx.turnpiked, "--config", server.config_path], stdout=write_end,
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ctx.on_cleanup(process.kill)
    os.close(write_end)
    wait_for(lambda: server.get("/readyz", quiet=True)[0] == 200, 30, "the server to be ready")
    for number in range(30):
        server.config["limits"] = {"max_lifetime": f"{number + 1}h" if number < 24 else "1h"}
        server.write_config()
        os.kill(process.pid, signal.SIGHUP)
        time.sleep(0.02)  # signals of one kind that meet are one
    call = Call(server, peer, b"alice", b"s3cret")
    call.echo(bytes(100), 5)
    check_equal(server.get("/livez")[0], 200, "GET /livez with a log that nobody reads")
    drained = os.read(read_end, 65536)
    os.kill(process.pid, signal.SIGHUP)
    lines = b""

    def told() -> bool:
        nonlocal lines
        lines += os.read(read_end, 65536)
        return b"log_lines_lost" in lines
    wait_for(told, 10, "the event log_lines_lost")
    os.kill(process.pid, signal.SIGTERM)
    check_equal(process.wait(20), 0, "exit status after SIGTERM with a full log pipe")
    while more := os.read(read_end, 65536):
        lines += more
    os.close(read_end)
    events = [json.loads(line) for line in (drained + lines).splitlines()]
    check(sum(e.get("lines", 0) for e in events if e["event"] == "log_lines_lost") > 0,
          "no lost line is counted")
    check_equal(usage.summed(usage.report(ctx, server)), (500, 500), "the report")


def stop_and_go_on(ctx: Context, peer: EchoPeer) -> None:
    """SIGSTOP and SIGCONT: what came in between is relayed, as far as the kernel kept it, and what
    ran out in between has ended."""
    server = Server(ctx, "stopped", workers=2, metering={"checkpoint": "100ms"},
                    limits={"default_lifetime": "1s"}).start()
    call = Call(server, peer, b"alice", b"s3cret", lifetime=600)
    short = Call(server, peer, b"bob", b"hunter2", lifetime=600)
    for each in (call, short):
        each.echo(bytes(100), 3)
    check_equal(short.client.refresh(1).error, 0, "Refresh")
    os.kill(server.launched().pid, signal.SIGSTOP)
    for number in range(10):
        call.client.send_on_channel(0x4000, bytes([number]) * 50)
    time.sleep(1.5)
    os.kill(server.launched().pid, signal.SIGCONT)
    for _ in range(10):
        check(call.client.receive(10) is not None, "a datagram from during the stop is lost")
    call.echo(bytes(100), 3)
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_allocations") == 1, 10,
             "the short allocation to have ended")
    call.release()
    server.stop()
    reasons = {row["account"]: row["close_reason"] for row in usage.sessions(ctx, server)}
    check_equal(reasons, {"acme": "refreshed_to_zero", "globex": "expired"}, "close reasons")
    check_equal(usage.summed(usage.report(ctx, server)), (1400, 1400), "the report")


def stalled_worker(ctx: Context, peer: EchoPeer) -> None:
    """One worker hangs: the other's calls go on, and the word to the watchdog stops. All are exact in
    the ledger when the service manager then does what it does: SIGABRT, and a start."""
    path = ctx.directory / "notify"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(path))
    notify.settimeout(10)
    server = Server(ctx, "stalled", workers=2)
    server.prefix = ["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=600000"]
    server.start()
    calls = [Call(server, peer, b"alice", b"s3cret") for _ in range(6)]
    wait_for(lambda: b"WATCHDOG=1" in notify.recv(4096), 10, "a sign of life")
    with strace.attached(ctx, server, "relay", "epoll_wait:delay_enter=20000000:when=1+200"):
        wait_for(lambda: silent(notify, 0.9), 15, "no sign of life for three intervals")
        going = sum(answers(call) for call in calls)
        check(0 < going < len(calls), f"{going} of {len(calls)} calls go on beside a stalled worker")
        check(silent(notify, 0.9), "a sign of life while a worker is still stalled")
    notify.settimeout(10)
    wait_for(lambda: b"WATCHDOG=1" in notify.recv(4096), 10, "a sign of life afterwards")
    for call in calls:
        while call.client.receive(0.05):
            pass
        call.echo(bytes(100))
    each = 100 + len(QUESTION)
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_relay_bytes_total") ==
             2 * each * len(calls), 10, "the last datagram to be counted")
    os.kill(server.launched().pid, signal.SIGABRT)
    check(server.launched().ends_within(10), "SIGABRT did not end the server")
    server.start()
    server.stop()
    notify.close()
    for row in usage.sessions(ctx, server):
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"], row["close_reason"]),
                    (each, each, "crash"), "a session that the watchdog ended")
    check_equal(usage.summed(usage.report(ctx, server)), (each * len(calls),) * 2, "the report")


def answers(call: Call) -> bool:
    call.client.send_on_channel(0x4000, QUESTION)
    return call.client.receive(0.3) is not None


def silent(notify: socket.socket, seconds: float) -> bool:
    """Whether no sign of life comes within `seconds` from now; what came before does not count."""
    notify.setblocking(False)
    try:
        while True:
            notify.recv(4096)
    except BlockingIOError:
        pass
    notify.settimeout(seconds)
    try:
        return not notify.recv(4096)
    except TimeoutError:
        return True


def restart_storm(ctx: Context, peer: EchoPeer) -> Server:
    """Killed again and again, also in the middle of its start: it comes up, and nothing is lost."""
    server = Server(ctx, "storm", workers=2, metering={"checkpoint": "100ms"}).start()
    calls = [Call(server, peer, b"alice", b"s3cret") for _ in range(3)]
    for call in calls:
        call.echo(bytes(200), 4)
    # A worker counts after the kernel took the datagram: its client may be a moment ahead of it.
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_relay_bytes_total") ==
             sum(2 * call.echoed_bytes for call in calls), 10, "the last datagram to be counted")
    chance = random.Random(7)
    for _ in range(12):
        server.kill9()
        server.launch()
        time.sleep(chance.random() * 0.25)
    server.kill9()
    server.start()
    rows = {row["relayed_address"]: row for row in usage.sessions(ctx, server)}
    for call in calls:
        row = rows[call.relayed]
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"], row["close_reason"]),
                    (800, 800, "crash"), "a session from before the storm")
    check_equal(prometheus.value(prometheus.scrape(server), "turn_ports_in_use"), 0,
                "ports in use after the storm")
    ledger_sql.check_sums(server)
    usage.check_integrity(server.state / "usage.db")
    return server


def damaged_ledger(ctx: Context, server: Server, peer: EchoPeer) -> None:
    """Set aside, not fatal; what the runbook says brings the books together again."""
    call = Call(server, peer, b"bob", b"hunter2")
    call.echo(bytes(300), 2)
    server.stop()
    before = usage.summed(usage.report(ctx, server))
    path = server.state / "usage.db"
    damage(path)
    server.start()
    check_equal(server.wait_for_event("ledger_set_aside")["kept_as"], f"{path}.damaged-1",
                "where the damaged ledger is")
    check_equal(prometheus.value(prometheus.scrape(server), "turn_metering_ledgers_set_aside"), 1,
                "turn_metering_ledgers_set_aside")
    call = Call(server, peer, b"bob", b"hunter2")
    call.echo(bytes(100), 1)
    server.stop()
    check_equal(usage.summed(usage.report(ctx, server)), (100, 100), "the new ledger")
    salvage = ctx.directory / "salvaged.db"
    sql = subprocess.run(["sqlite3", f"{path}.damaged-1", ".dump"], capture_output=True,
                         check=True, timeout=30).stdout
    subprocess.run(["sqlite3", salvage], check=True, timeout=30,
                   input=b"PRAGMA application_id=1414548551; PRAGMA user_version=2;" + sql)
    whole = ctx.directory / "whole.db"
    ctx.cli("usage", "merge", salvage, path, "-o", whole)
    report = json.loads(ctx.cli("usage", "report", "--ledger", whole, "--format", "json").stdout)
    check_equal(usage.summed(report["rows"]), (before[0] + 100, before[1] + 100), "salvaged and new")


def damage(path: Path) -> None:
    """Breaks a page of an index: what a disk may do, and what leaves every row to be salvaged."""
    name = subprocess.run(
        ["sqlite3", path, "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND "
         "sql IS NOT NULL OR name LIKE 'sqlite_autoindex%' LIMIT 1"],
        capture_output=True, check=True, text=True, timeout=30).stdout
    size = int(subprocess.run(["sqlite3", path, "PRAGMA page_size"], capture_output=True,
                              check=True, text=True, timeout=30).stdout)
    with open(path, "r+b") as file:
        file.seek((int(name) - 1) * size)
        file.write(b"\x5a" * size)
