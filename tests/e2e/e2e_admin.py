"""What operators see and do over the JSON API, by the command line: list, kill, revoke, reload, drain."""

from __future__ import annotations

import json
import time

import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, wait_for
from server import SECRET, Server
from traffic import Call
from turn_client import TurnClient

TOKEN = "operators-only"


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, workers=2, admin={"token": TOKEN}, auth={"strict_expiry": True}).start()
    calls = {name: Call(server, peer, name.encode(), password)
             for name, password in (("alice", b"s3cret"), ("amber", b"s4cret"),
                                    ("bob", b"hunter2"))}
    listing(ctx, server, calls)
    kill(ctx, server, calls)
    revoke(ctx, server, calls)
    reload(ctx, server)
    strict_expiry(ctx, server, peer)
    drain(ctx, server, calls)
    reasons = {row["relayed_address"]: row["close_reason"] for row in usage.sessions(ctx, server)
               if row["billable_bytes"]}
    check_equal([reasons[calls[name].relayed] for name in ("alice", "amber", "bob")],
                ["killed", "refreshed_to_zero", "killed"], "how the sessions ended")
    revoked_after_restart(server)


def cli(ctx: Context, server: Server, *arguments: str, status: int | None = 0,
        token: str = TOKEN) -> str:
    done = ctx.cli(*arguments, "--admin", f"http://127.0.0.1:{server.admin_port}", "--token", token,
                   status=status)
    return (done.stdout + done.stderr).decode()


def rows(ctx: Context, server: Server, *arguments: str) -> list[dict]:
    return json.loads(cli(ctx, server, "sessions", "--json", *arguments))["rows"]


def listing(ctx: Context, server: Server, calls: dict[str, Call]) -> None:
    """Names, bytes and rates are those of the calls; filters and order hold; strangers see nothing."""
    check("Bearer" in cli(ctx, server, "sessions", token="wrong", status=1), "a wrong token")
    rows(ctx, server)  # the first reading of the rates
    time.sleep(0.6)
    for name, count in (("alice", 30), ("amber", 60), ("bob", 10)):
        calls[name].echo(bytes(500), count)
    seen = rows(ctx, server)
    check_equal([row["username"] for row in seen], ["amber", "alice", "bob"], "top talkers")
    for row in seen:
        call = calls[row["username"]]
        check_equal((row["relayed_address"], row["client_to_peer_bytes"],
                     row["peer_to_client_bytes"]),
                    (call.relayed, call.echoed_bytes, call.echoed_bytes), row["username"])
        check(row["client_to_peer_bytes_per_second"] > 0, f"{row['username']} has no rate")
    acme = rows(ctx, server, "--account", "acme", "--sort", "age")
    check_equal([row["username"] for row in acme], ["alice", "amber"], "the sessions of acme")
    table = cli(ctx, server, "sessions")
    check("3 sessions, " in table and "globex" in table, f"the table: {table}")


def kill(ctx: Context, server: Server, calls: dict[str, Call]) -> None:
    session, = rows(ctx, server, "--username", "alice")
    cli(ctx, server, "sessions", "kill", session["session_id"])
    wait_for(lambda: len(rows(ctx, server)) == 2, 10, "the killed session to be gone")
    check("no session" in cli(ctx, server, "sessions", "kill", session["session_id"], status=1),
          "killing it again")
    calls["amber"].echo(bytes(100), 3)


def revoke(ctx: Context, server: Server, calls: dict[str, Call]) -> None:
    """The revoked user's session ends and no new one begins; others go on."""
    said = cli(ctx, server, "credentials", "revoke", "--account", "globex", "--for", "1h")
    check("1 sessions ended" in said, said)
    wait_for(lambda: len(rows(ctx, server)) == 1, 10, "the revoked session to be gone")
    check_equal(allocate(server, b"bob", b"hunter2"), 403, "Allocate of a revoked account")
    check_equal(allocate(server, b"alice", b"s3cret"), 0, "Allocate of another account")
    calls["amber"].echo(bytes(100), 3)


def reload(ctx: Context, server: Server) -> None:
    server.config["limits"] = {"max_lifetime": "2h"}
    server.write_config()
    check("limits.max_lifetime: 1h -> 2h" in cli(ctx, server, "reload"), "reload")
    good = server.config_path.read_text()
    server.config_path.write_text(good + "nodde: x\n")
    said = cli(ctx, server, "reload", status=1)
    check("nothing was changed" in said and "did you mean `node`" in said, said)
    server.config_path.write_text(good)
    cli(ctx, server, "reload")


def strict_expiry(ctx: Context, server: Server, peer: EchoPeer) -> None:
    """auth.strict_expiry: the session of a token ends when the token does."""
    done = ctx.cli("token", "--secret", SECRET, "--account", "brief", "--ttl", "3s")
    fields = dict(line.split(": ", 1) for line in done.stdout.decode().splitlines() if ": " in line)
    call = Call(server, peer, fields["username"].encode(), fields["password"].encode())
    call.echo(bytes(50))
    check_equal(len(rows(ctx, server, "--account", "brief")), 1, "sessions of brief")
    wait_for(lambda: not rows(ctx, server, "--account", "brief"), 10, "the token's session to end")
    call.abandon()


def drain(ctx: Context, server: Server, calls: dict[str, Call]) -> None:
    server.config["drain_deadline"] = "5m"
    server.write_config()
    cli(ctx, server, "reload")
    check("1 sessions left" in cli(ctx, server, "drain"), "drain")
    check_equal(server.get("/readyz"), (503, "draining\n"), "/readyz")
    calls["amber"].echo(bytes(100), 3)
    calls["amber"].release()
    check_equal(server.launched().wait(20), 0, "exit status after the drain")


def revoked_after_restart(server: Server) -> None:
    server.config["drain_deadline"] = "0s"
    server.start()
    check_equal(allocate(server, b"bob", b"hunter2"), 403, "Allocate of a revoked account, later")
    server.stop()


def allocate(server: Server, username: bytes, password: bytes) -> int:
    """The error code of a new allocation, which is released again; 0 when there is none."""
    with TurnClient(("127.0.0.1", server.port), username, password) as client:
        error = client.try_allocate().error
        if not error:
            client.release()
        return error
