#!/usr/bin/env python3
"""Records what pion and libnice send to a relay: tests/e2e/clients/record.py BUILD_DIR [CLIENT...].

Writes tests/vectors/CLIENT.h, as tests/e2e/browser/record.py does for browsers. Debian packages:
golang-go, golang-github-pion-turn.v2-dev; gcc, pkg-config, libnice-dev.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.dont_write_bytecode = True

from browser.record import VECTORS, first_of_each_kind, write  # noqa: E402
from browser.tap import Tap  # noqa: E402
from echo_peer import EchoPeer  # noqa: E402
from harness import Context  # noqa: E402
from server import USERS, Server  # noqa: E402

SOURCES = Path(__file__).parent
USER = USERS[0]
LOOPBACK = "127.0.0.1"

PACKAGES = {"pion": "golang-github-pion-turn.v2-dev", "libnice": "libnice-dev"}


def build(ctx: Context, client: str) -> Path:
    """Compiles the program that makes the call."""
    program = ctx.directory / client
    if client == "pion":
        environment = ["GO111MODULE=off", "GOPATH=/usr/share/gocode", "GOFLAGS=",
                       f"GOCACHE={ctx.directory / 'go'}"]
        ctx.run(["env", *environment, "go", "build", "-o", program, SOURCES / "pion.go"])
    else:
        flags = ctx.run(["pkg-config", "--cflags", "--libs", "nice"]).stdout.decode().split()
        ctx.run(["gcc", "-o", program, SOURCES / "libnice.c", *flags])
    return program


def record(ctx: Context, client: str) -> None:
    """Makes one call through a tap."""
    program = build(ctx, client)
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    server = Server(ctx).start()
    tap = Tap(LOOPBACK, (LOOPBACK, server.port))
    ctx.on_cleanup(tap.close)
    if client == "pion":
        ctx.run([program, f"{LOOPBACK}:{tap.port}", USER["username"], USER["password"],
                 f"{LOOPBACK}:{peer.port}"])
    else:
        ctx.run([program, LOOPBACK, str(tap.port), USER["username"], USER["password"]])
    version = ctx.run(["dpkg-query", "--show", "--showformat=${Version}", PACKAGES[client]])
    write(VECTORS / f"{client}.h", client,
          f"{client} ({PACKAGES[client]} {version.stdout.decode()})", "clients/record.py", USER,
          first_of_each_kind(tap, USER["username"]))


def main(argv: list[str]) -> int:
    if len(argv) < 2 or not set(argv[2:]) <= set(PACKAGES):
        print(f"usage: {argv[0]} BUILD_DIR [{'|'.join(PACKAGES)}]...", file=sys.stderr)
        return 2
    for client in argv[2:] or PACKAGES:
        ctx = Context(f"record-{client}", Path(argv[1]).resolve(), scale=1)
        try:
            record(ctx, client)
        finally:
            ctx.cleanup()
        ctx.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
