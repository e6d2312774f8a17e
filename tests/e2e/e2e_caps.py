"""Caps in bytes and in money: warned of, refused with 486, live sessions ended, the bill still exact."""

from __future__ import annotations

import prometheus
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import Server
from traffic import Call
from turn_client import TurnClient

RATES = """
currency: EUR
seller: {name: Example Relay Ltd}
cards:
  - {id: "2026", effective_from: 2026-01-01, prices: [{price: 1000}]}
"""


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    rates = ctx.directory / "rates.yaml"
    rates.write_text(RATES)
    # 20,000 bytes cost 0.02 EUR at that price.
    server = Server(ctx, metering={"checkpoint": "200ms", "rates": str(rates)}, caps=[
        {"account": "acme", "label": "web", "period": "month", "bytes": "20 kB", "action": "end"},
        {"account": "globex", "period": "day", "money": "0.02", "action": "refuse"},
    ]).start()
    web = Call(server, peer, b"alice", b"s3cret")
    voice = Call(server, peer, b"amber", b"s4cret")
    bob = Call(server, peer, b"bob", b"hunter2")
    for call in (web, voice, bob):
        call.echo(bytes(1000), 8)
    wait_for(lambda: level(server, "acme") == 0.8, 10, "the first cap to stand at 80 %")
    for call in (web, voice, bob):
        check_equal(refused(server, call), 0, "an allocation below the cap")
        call.echo(bytes(1000), 2)
    wait_for(lambda: level(server, "acme") >= 1 and level(server, "globex") >= 1, 10, "full caps")

    wait_for(lambda: reason(ctx, server, web) == "quota", 10, "the end of the capped session")
    check_equal(refused(server, web), 486, "the label whose cap is full")
    check_equal(refused(server, voice), 0, "another label of the account")
    check_equal(refused(server, bob), 486, "the account whose money is spent")
    voice.echo(bytes(100), 3)
    bob.echo(bytes(100), 3)  # its cap refuses new sessions and leaves this one alone
    log = server.process.stdout()
    check("cap_near" in log and "cap_reached" in log, "the log says nothing of the caps")

    for call in (voice, bob):
        call.release()
    web.abandon()
    prometheus.check_with_promtool(ctx, server)
    # What was used stands in the ledger: a new start holds to it.
    server.stop()
    server.start()
    wait_for(lambda: level(server, "globex") >= 1, 10, "the cap after a restart")
    check_equal(refused(server, bob), 486, "the account whose money is spent, after a restart")
    sums = usage.summed(usage.usage(ctx, server, "report")["rows"])
    total = sum(call.echoed_bytes for call in (web, voice, bob))
    check_equal(sums, (total, total), "the report")


def level(server: Server, account: str) -> float:
    """What the metric says of the cap of `account`."""
    return float(prometheus.value(prometheus.scrape(server), "turn_cap_utilization_ratio",
                                  account=account))


def refused(server: Server, call: Call) -> int:
    """The error code that another Allocate of the same user gets; 0: it was granted, and released."""
    with TurnClient(call.server, call.client.username, call.client.password) as client:
        answer = client.try_allocate()
        if answer.error == 0:
            client.release()
        return answer.error


def reason(ctx: Context, server: Server, call: Call) -> str | None:
    """The close reason of the session of `call`, None while it lives."""
    rows = usage.sessions(ctx, server)
    return next(row["close_reason"] for row in rows if row["relayed_address"] == call.relayed)
