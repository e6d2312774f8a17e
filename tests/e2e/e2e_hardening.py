"""The server without root: one capability to bind its ports, none afterwards, and all goes on.

It relays over every transport, takes up a renewed certificate and a changed configuration, and
keeps its ledger, within Landlock and seccomp; what lies outside stays out of reach.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import prometheus
import usage
from e2e_reload import binding_over, connect, make_certificate, reload
from e2e_streams import certificate
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port
from server import SECRET, Server
from traffic import Call

NOBODY = 65534


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx, workers=2, tls=certificate(ctx), metering={"checkpoint": "200ms"})
    tls = {"transport": "tls", "address": "127.0.0.1", "port": free_port()}
    dtls = {**tls, "transport": "dtls"}
    server.port = low_port()
    server.config["listen"][0]["port"] = server.port
    server.config["listen"] += [tls, dtls]
    as_nobody(ctx, server)
    server.start()
    calls = [Call(server, peer, b"alice", b"s3cret", ipv6=i % 2 == 1) for i in range(4)]
    check_confined(server, sanitized := is_sanitized(server))
    talk(calls)
    renew(ctx, server)
    keep_out(ctx, server, sanitized)
    talk(calls)
    check(prometheus.value(prometheus.scrape(server), "process_open_fds") > 5,
          "the server cannot count its own descriptors")
    server.stop()
    total = sum(call.echoed_bytes for call in calls)
    check_equal(usage.summed(usage.report(ctx, server)), (total, total), "the report")
    for secret in (SECRET, "s3cret", "hunter2"):
        check(secret not in server.launched().stdout() + server.launched().stderr(),
              f"the log shows {secret}")
    without(ctx, server, peer)


def as_nobody(ctx: Context, server: Server) -> None:
    """Lets a user with no rights run the server, as a unit with User= and one capability would."""
    server.program = Path(shutil.copy(ctx.turnpiked, ctx.directory / "turnpiked"))
    for path in (ctx.directory, server.state, *ctx.directory.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    server.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                     "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]


def low_port() -> int:
    """A free port below 1024 on loopback."""
    for port in range(1023, 600, -1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no port below 1024 is free")


def status_of(server: Server) -> dict[str, str]:
    lines = Path(f"/proc/{server.launched().pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_sanitized(server: Server) -> bool:
    return server.wait_for_event("hardened")["sanitizer"] != "none"


def check_confined(server: Server, sanitized: bool) -> None:
    """What the log says is what the kernel says, of every thread."""
    event = server.wait_for_event("hardened")
    check_equal((event["level"], event["user"], event["capabilities"], event["core_dumps"]),
                ("info", NOBODY, "none", "off"), "the event `hardened`")
    check(event["landlock"].startswith("on") and event["seccomp"] == "on",
          f"something is not in force: {event}")
    process = Path(f"/proc/{server.launched().pid}")
    for thread in (process / "task").iterdir():
        status = (thread / "status").read_text()
        for line in ("CapPrm:\t" + "0" * 16, "CapEff:\t" + "0" * 16, "CapAmb:\t" + "0" * 16,
                     "CapInh:\t" + "0" * 16, "NoNewPrivs:\t1", "Seccomp:\t2"):
            check(line in status or (sanitized and "Seccomp:" not in line),
                  f"`{line}` is not in {thread}/status")
    limits = (process / "limits").read_text()
    check(any(line.split()[4:6] == ["0", "0"] for line in limits.splitlines()
              if line.startswith("Max core file size")), f"core files may be written: {limits}")
    # Without dumpable, a process's files in /proc belong to root.
    check(sanitized or (process / "fd").stat().st_uid == 0, "others of this user can look into it")
    check(len(list((process / "fd").iterdir())) > 5, "root cannot see the server's descriptors")


def talk(calls: list[Call]) -> None:
    for call in calls:
        call.echo(bytes(300), 5)


def renew(ctx: Context, server: Server) -> None:
    """A certificate that comes by rename is taken up, without root and within Landlock."""
    make_certificate(ctx, "renewed")
    for name in ("key.pem", "cert.pem"):
        os.chown(ctx.directory / name, NOBODY, NOBODY)
    server.wait_for_event("certificate_reloaded")
    with connect(server) as connection:
        binding_over(connection)


def keep_out(ctx: Context, server: Server, sanitized: bool) -> None:
    """A secret outside of what was named at the start is out of reach, and the log says why."""
    (ctx.directory / "near").write_text("near-and-good")
    # Beneath the configuration's directory all is readable; /usr/share is world-readable, and not.
    far = "/usr/share/common-licenses/BSD"
    secrets = server.config["auth"]["secrets"]
    server.config["auth"]["secrets"] = ["${file:near}", *secrets]
    os.chown(server.write_config(), NOBODY, NOBODY)
    check("auth.secrets: 1 added" in reload(server, "config_reloaded")["changes"], "a near secret")
    if not sanitized:
        server.config["auth"]["secrets"] = ["${file:" + far + "}", *secrets]
        problems = reload(server, "config_reload_failed")["problems"]
        check("hardening.landlock" in problems and far in problems, f"not explained: {problems}")
    server.config["auth"]["secrets"] = secrets
    reload(server, "config_reloaded")


def without(ctx: Context, server: Server, peer: EchoPeer) -> None:
    """Each can be turned off."""
    server.config["hardening"] = {"seccomp": False, "landlock": False, "core_dumps": True}
    server.start()
    event = [e for e in server.log_events() if e["event"] == "hardened"][-1]
    check_equal((event["seccomp"], event["landlock"], event["core_dumps"]), ("off", "off", "on"),
                "what was turned off")
    check_equal(status_of(server)["Seccomp"], "0", "Seccomp in /proc/PID/status")
    call = Call(server, peer, b"bob", b"hunter2")
    call.echo(b"x" * 100)
    call.release()
    server.stop()
