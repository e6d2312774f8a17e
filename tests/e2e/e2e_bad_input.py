"""Wrong command lines, configurations and ledgers: a clear sentence, a bad status, no harm."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import prometheus
import usage
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port
from server import Server
from traffic import Call

# As root every file is writable, so the read-only tests run as this user.
NOBODY = 65534


def run(ctx: Context) -> None:
    check_command_lines(ctx)
    check_configurations(ctx)
    server = used_server(ctx)
    check_ledgers(ctx, server)
    check_surroundings(ctx)
    check_usage_commands(ctx, server)


def refused(ctx: Context, argv: list, *fragments: str) -> str:
    """The program ends with a status of its own choice, not 0, and says each fragment."""
    done = ctx.run(argv, None)
    shown = " ".join(str(a) for a in argv[1:])
    check(0 < done.returncode < 128, f"`{shown}` dies of signal {-done.returncode}")
    said = (done.stderr + done.stdout).decode("utf-8", "backslashreplace")
    check(said.strip() != "", f"`{shown}` says nothing")
    for fragment in fragments:
        check(fragment in said, f"`{shown}` does not say {fragment!r}: {said.strip()}")
    for bad in ("terminate called", "what():", "std::", "Assertion", "Segmentation"):
        check(bad not in said, f"`{shown}` says {said.strip()}")
    return said


def check_command_lines(ctx: Context) -> None:
    for program in (ctx.turnpiked, ctx.turnpike):
        for option in ("--help", "--version"):
            check(ctx.run([program, option]).stdout != b"", f"{program.name} {option} is silent")
    refused(ctx, [ctx.turnpiked, "--nonsense"], "nonsense")
    refused(ctx, [ctx.turnpike, "token", "--account", "a", "--nonsense"], "nonsense")
    refused(ctx, [ctx.turnpike, "--nonsense"])
    refused(ctx, [ctx.turnpiked, "--config"], "--config")
    refused(ctx, [ctx.turnpiked, "--config", ctx.directory / "none.yaml"], "none.yaml")
    refused(ctx, [ctx.turnpiked, "--config", ctx.directory], str(ctx.directory))
    refused(ctx, [ctx.turnpike, "nonsense"])


def check_configurations(ctx: Context) -> None:
    """Every problem is named with file, line and key."""
    base = "auth: {secrets: [sesame]}\n"
    for text, fragments in {
        base + "lsten: []\n": (":2:", "lsten"),
        base + "listen:\n  - {transport: udp, prot: 3478}\n": (":3:", "prot"),
        base + "listen:\n  - transport: udp\n    port: 70000\n": (":4:", "port", "70000"),
        base + "listen: 3478\n": (":2:", "listen"),
        base + "workers: many\n": (":2:", "workers", "many"),
        base + "relay:\n  ports: 60000-10000\n": (":3:", "relay.ports"),
        base + "relay:\n  peers: {allow: [10.0.0.0/33]}\n": (":3:", "10.0.0.0/33"),
        base + "metering: {checkpoint: soon}\n": (":2:", "metering.checkpoint"),
        base + "log: {level: loud}\n": (":2:", "log.level", "loud"),
        "auth:\n  secrets: [\"${TURNPIKE_E2E_UNSET}\"]\n": (":2:", "TURNPIKE_E2E_UNSET"),
        "auth:\n  users:\n    - {username: a}\n": (":3:", "password"),
        "auth:\n  users:\n    - {username: " + "u" * 513 + ", password: p, account: a}\n":
            (":3:", "username"),
        base + "node: [unclosed\n": (":",),
        "": (),
        "- 1\n": (":1:",),
    }.items():
        path = ctx.directory / "wrong.yaml"
        path.write_text(text)
        for check_only in ([], ["--check-config"]):
            said = refused(ctx, [ctx.turnpiked, "--config", path, *check_only], "wrong.yaml",
                           *fragments)
            check("sesame" not in said, f"a secret is told: {said}")
    # Two problems are told at once, and the check of a good file says so and starts nothing.
    path.write_text(base + "workers: many\nlog: {level: loud}\n")
    refused(ctx, [ctx.turnpiked, "--config", path, "--check-config"], ":2:", ":3:")
    server = Server(ctx, "good")
    ctx.run([ctx.turnpiked, "--config", server.write_config(), "--check-config"])
    check_equal(list(server.state.iterdir()), [], "files that --check-config left")


def used_server(ctx: Context) -> Server:
    """A server that has run: its ledger has a session of 2000 bytes."""
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, "used").start()
    call = Call(server, peer, b"alice", b"s3cret")
    call.echo(bytes(1000))
    call.release()
    locked_by_another(ctx, server)
    server.stop()
    return server


def locked_by_another(ctx: Context, server: Server) -> None:
    """A second server on the same directory does not start, and the first one does not notice."""
    second = Server(ctx, "second", metering={"directory": str(server.state)})
    refused(ctx, [ctx.turnpiked, "--config", second.write_config()], str(server.state))
    check_equal(server.get("/readyz")[0], 200, "GET /readyz of the first server")


def check_ledgers(ctx: Context, server: Server) -> None:
    """A damaged ledger is set aside, somebody else's is refused; both are kept byte for byte."""
    whole = (server.state / "usage.db").read_bytes()

    def newer(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
        connection.close()

    def foreign(path: Path) -> None:
        path.unlink()
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE precious (thing)")
        connection.commit()
        connection.close()

    damaged = {
        "text": lambda path: path.write_bytes(b"Dear diary, " * 1000),
        "cut": lambda path: path.write_bytes(whole[:len(whole) // 2 // 4096 * 4096]),
        "short": lambda path: path.write_bytes(whole[:700]),
    }
    for name, change in {**damaged, "newer": newer, "foreign": foreign}.items():
        other = Server(ctx, f"ledger-{name}")
        path = other.state / "usage.db"
        path.write_bytes(whole)
        change(path)
        before = hashlib.sha256(path.read_bytes()).digest()
        if name in damaged:
            refused(ctx, [ctx.turnpike, "usage", "report", "--ledger", other.state], "usage.db")
            other.start().stop()
            check_equal(hashlib.sha256(path.with_name("usage.db.damaged-1").read_bytes()).digest(),
                        before, f"the {name} ledger that was set aside")
            continue
        refused(ctx, [ctx.turnpiked, "--config", other.write_config()], "usage.db")
        check_equal(hashlib.sha256(path.read_bytes()).digest(), before,
                    f"the {name} ledger after a refused start")
        refused(ctx, [ctx.turnpike, "usage", "report", "--ledger", other.state], "usage.db")
    check_slots(ctx)


def check_slots(ctx: Context) -> None:
    """Whatever stands in live.slots, the server starts and keeps it; a damaged revoked.json shuts
    nobody out any more, which is for a person to decide."""
    other = Server(ctx, "damaged")
    contents = (b"not slots at all" * 10000, b"not", b"")
    for content in contents:
        (other.state / "live.slots").write_bytes(content)
        other.start().stop()
    events = [event["event"] for event in other.log_events()]
    check_equal(events.count("slots_set_aside"), 2, "slot files set aside; an empty one is new")
    check_equal((other.state / "live.slots.damaged-1").read_bytes(), contents[0],
                "the first of them")
    other.start()
    check_equal(prometheus.value(prometheus.scrape(other), "turn_metering_ledgers_set_aside"), 2,
                "turn_metering_ledgers_set_aside")
    other.stop()
    (other.state / "revoked.json").write_bytes(b"[{")
    refused(ctx, [ctx.turnpiked, "--config", other.write_config()], "revoked.json")


def check_surroundings(ctx: Context) -> None:
    """A missing or unwritable directory, a taken port, an address of somebody else."""
    missing = str(ctx.directory / "no" / "such" / "place")
    other = Server(ctx, "missing", metering={"directory": missing})
    refused(ctx, [ctx.turnpiked, "--config", other.write_config()], missing)
    check(not os.path.exists(missing), "the missing directory was made")

    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            port = taken.getsockname()[1]
            other = Server(ctx, f"taken-{kind.name}")
            if kind == socket.SOCK_DGRAM:
                other.config["listen"][0]["port"] = port
            else:
                other.config["admin"]["port"] = port
            refused(ctx, [ctx.turnpiked, "--config", other.write_config()], str(port))

    other = Server(ctx, "elsewhere", listen=[
        {"transport": "udp", "address": "198.51.100.7", "port": free_port()}])
    refused(ctx, [ctx.turnpiked, "--config", other.write_config()], "198.51.100.7")
    other = Server(ctx, "relay-elsewhere", relay={"addresses": [{"bind": "198.51.100.7"}]})
    refused(ctx, [ctx.turnpiked, "--config", other.write_config()], "198.51.100.7")

    other = Server(ctx, "unwritable")
    other.write_config()
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                 ctx.turnpiked, "--config", other.config_path]
    for path in (ctx.directory, other.state):
        path.chmod(0o755)
    if os.access(ctx.turnpiked, os.X_OK) and reachable(ctx, as_nobody):
        refused(ctx, as_nobody, str(other.state))
        check_equal(list(other.state.iterdir()), [], "files in the unwritable directory")


def reachable(ctx: Context, as_nobody: list) -> bool:
    """Whether the unprivileged user can run the program at all, wherever it was built."""
    probe = [*as_nobody[:4], "test", "-x", ctx.turnpiked]
    return subprocess.run(probe, check=False).returncode == 0


def check_usage_commands(ctx: Context, server: Server) -> None:
    report = [ctx.turnpike, "usage", "report", "--ledger"]
    state = server.state
    refused(ctx, [*report, ctx.directory / "nowhere"], "nowhere")
    refused(ctx, [*report, ctx.directory], "usage.db")
    refused(ctx, [*report[:-1]], "--ledger")
    for arguments, fragment in {
        ("--from", "yesterday"): "--from",
        ("--from", "2026-02-30"): "--from",
        ("--from", "2026-13-01"): "--from",
        ("--to", "20261101"): "--to",
        ("--from", "2026-11-02", "--to", "2026-11-01"): "--to",
        ("--by", "colour"): "colour",
        ("--format", "xml"): "xml",
    }.items():
        refused(ctx, [*report, state, *arguments], fragment)
    token = [ctx.turnpike, "token", "--secret", "x", "--account"]
    refused(ctx, [*token, ""])
    refused(ctx, [*token, "a:b"], "--account")
    refused(ctx, [*token, "a", "--ttl", "later"], "--ttl")
    refused(ctx, [*token, "a" * 200])
    check_equal(usage.summed(usage.report(ctx, server)), (1000, 1000), "the ledger after it all")
    copy = ctx.directory / "copy"
    copy.mkdir()
    shutil.copy(state / "usage.db", copy)
    ctx.cli("usage", "report", "--ledger", copy)
