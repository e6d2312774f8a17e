"""`metering.backup`: the copy has what was relayed, its age is a metric that a restart keeps."""

from __future__ import annotations

import json

import prometheus
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Call

NEWEST = "turn_metering_last_backup_timestamp_seconds"


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    copy = ctx.directory / "copy"
    server = Server(ctx, metering={"checkpoint": "200ms",
                                   "backup": {"directory": str(copy), "every": "1h"}}).start()
    server.wait_for_event("ledger_backup_failed")
    check(any("make it first, and restart" in event.get("warning", "")
              for event in server.log_events()), "the start does not warn of the directory")
    check_equal(newest(server), 0, f"{NEWEST} without a copy")
    call = Call(server, peer, b"alice", b"s3cret")
    call.echo(bytes(1000), 7)
    call.release()
    server.stop()
    copy.mkdir()

    server.start()
    wait_for(lambda: newest(server) > 0, 20, "a backup")
    done = ctx.cli("usage", "verify", "--ledger", copy)
    check(done.returncode == 0, f"verify says of the copy: {done.stdout!r}")
    done = ctx.cli("usage", "report", "--ledger", copy, "--format", "json")
    check_equal(usage.summed(json.loads(done.stdout)["rows"]), (7000, 7000), "the copy's bytes")
    server.stop()

    # The next start makes a copy at once, which must not be what the metric waits for.
    for file in (copy / "usage.lock", copy / "live.slots"):
        file.touch()
    server.start()
    server.wait_for_event("ledger_backup_failed")
    check(newest(server) > 0, f"{NEWEST} forgot the copy with the restart")


def newest(server: Server) -> int | float:
    return prometheus.value(prometheus.scrape(server), NEWEST)
