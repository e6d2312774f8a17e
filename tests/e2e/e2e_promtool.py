"""`promtool check metrics` has nothing to say, before, during and after calls."""

from __future__ import annotations

import prometheus
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Call


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx).start()
    prometheus.check_with_promtool(ctx, server, "idle")
    call = Call(server, peer, b"alice", b"s3cret")
    call.echo(b"x" * 1000, 3)
    prometheus.check_with_promtool(ctx, server, "live")

    # Live: the counters show the call's bytes while it goes on.
    samples = prometheus.scrape(server)
    check_equal(prometheus.total(samples, "turn_relay_bytes_total"), 6000, "turn_relay_bytes_total")
    check_equal(prometheus.total(samples, "turn_allocations"), 1, "turn_allocations")
    check(prometheus.total(samples, "turn_ports_in_use") >= 1, "turn_ports_in_use is 0")
    wait_for(lambda: prometheus.billed(prometheus.scrape(server)) == 6000,
             20, "the checkpoint of a live call")
    call.release()
    wait_for(lambda: prometheus.total(prometheus.scrape(server), "turn_ports_in_use") == 0,
             10, "the port to be free again")
    prometheus.check_with_promtool(ctx, server, "after")
    names = {sample.name for sample in prometheus.scrape(server)}
    for name in ("turn_build_info", "turn_draining", "process_resident_memory_bytes",
                 "turn_metering_commit_seconds_count", "turn_loop_lag_seconds"):
        check(name in names, f"there is no metric {name}")
    for path, status in (("/livez", 200), ("/readyz", 200), ("/nowhere", 404)):
        check_equal(server.get(path)[0], status, f"GET {path}")
    # What the server shows is what its ledger holds, and the ledger agrees with itself.
    metrics = f"http://127.0.0.1:{server.admin_port}/metrics"
    done = ctx.cli("usage", "reconcile", "--ledger", server.state, "--prometheus", metrics)
    check(b"difference 0: 2 series, 6000 billable bytes" in done.stdout,
          f"usage reconcile says {done.stdout!r}")
    check(b"the ledger agrees with itself" in
          ctx.cli("usage", "verify", "--ledger", server.state).stdout, "usage verify")
    server.stop()
