"""The Dockerfile builds, and its image does what a relay in a container must."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import usage
from echo_peer import EchoPeer
from harness import Context, Process, check, check_equal, wait_for
from image import Image
from server import Server
from traffic import Call
from uclient import Load, Uclient

# What a container runtime does: a root of its own that is read-only, one volume, process 1.
RUNTIME = """
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount --bind "$2" "$1/var/lib/turnpike"
mount -o remount,bind,ro "$1"
shift 2
exec "$@"
"""
LARGEST_BYTES = 60 * 10**6


class ContainerServer(Server):
    """The image's server, set up by the environment alone."""

    def __init__(self, ctx: Context, image: Image):
        super().__init__(ctx, "container", drain_deadline="5m")
        self.image = image
        shutil.rmtree(self.state)
        volume = image.root / "var/lib/turnpike"
        shutil.copytree(volume, self.state)
        owner = volume.stat()
        os.chown(self.state, owner.st_uid, owner.st_gid)
        del self.config["metering"]["directory"]  # the image's own
        self.environment = {**image.environment(), **dict(variables("TURNPIKE", self.config))}
        for name in ("proc", "dev"):
            (image.root / name).mkdir(exist_ok=True)

    def launch(self) -> Process:
        self.process = self.ctx.spawn(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", RUNTIME, "sh",
             self.image.root, self.state, *self._as_user([str(self.image.root)],
                                                         self.image.config["Entrypoint"])],
            self.name)
        return self.process

    def _as_user(self, root: list[str], argv: list[str]) -> list[str]:
        """The command that runs `argv`, found on the image's PATH, as its user in `root`."""
        program = next(f"{folder}/{argv[0]}" for folder in self.environment["PATH"].split(":")
                       if (self.image.root / folder.lstrip("/") / argv[0]).exists())
        pairs = [f"{name}={value}" for name, value in self.environment.items()]
        return ["/usr/bin/env", "-i", *pairs, "/usr/sbin/chroot",
                f"--userspec={self.image.config['User']}", "--groups=", *root, program, *argv[1:]]

    def inner_pid(self) -> int:
        """The server's process number on this host; within, it is 1."""
        outer = self.launched().pid
        return int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])

    def run_inside(self, argv: list[str], status: int = 0) -> str:
        """Runs a program of the image beside the server, and returns what it prints."""
        inside = ["nsenter", "--target", str(self.inner_pid()), "--mount", "--pid",
                  *self._as_user([str(self.image.root)], argv)]
        return self.ctx.run(inside, status).stdout.decode()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.inner_pid(), number)

    def write_config(self) -> Path:
        raise NotImplementedError("a container has no file")


def variables(prefix: str, section: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The environment that stands for a configuration: lists are YAML, which JSON is."""
    for key, value in section.items():
        name = f"{prefix}_{key.upper()}"
        if isinstance(value, dict):
            yield from variables(name, value)
        else:
            yield name, json.dumps(value) if isinstance(value, list) else str(value)


def run(ctx: Context) -> None:
    image = Image(ctx)
    check_image(image)
    server = ContainerServer(ctx, image).start()
    relay_and_check(ctx, server)
    drain_and_report(ctx, server)


def check_image(image: Image) -> None:
    config = image.config
    check_equal(config["User"], "65532:65532", "USER")
    check_equal(config["StopSignal"], "SIGTERM", "STOPSIGNAL")
    check_equal(list(config["Volumes"]), ["/var/lib/turnpike"], "VOLUME")
    check_equal(config["Healthcheck"]["Test"], ["CMD", "turnpiked", "--healthcheck"], "HEALTHCHECK")
    check("3478/udp" in config["ExposedPorts"], "EXPOSE")
    check_equal(config["Labels"]["org.opencontainers.image.version"], "test", "version label")
    check_equal((image.root / "var/lib/turnpike").stat().st_uid, 65532, "the volume's owner")
    check(not (image.root / "bin/sh").exists() and not (image.root / "usr/bin").exists(),
          "a shell, or more, is in the image")
    print(f"      image: {image.size() / 10**6:.1f} MB", flush=True)
    check(image.size() < LARGEST_BYTES, "the image has grown fat")


def relay_and_check(ctx: Context, server: ContainerServer) -> None:
    status = Path(f"/proc/{server.inner_pid()}/status").read_text()
    ids = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    check_equal(ids["Uid"].split(), ["65532"] * 4, "the server's user")
    check_equal(ids["NSpid"].split()[-1], "1", "its process number")
    check("healthy" in server.run_inside(["turnpiked", "--healthcheck"]), "the health check")
    try:
        os.open(f"/proc/{server.inner_pid()}/root/etc/turnpike/new", os.O_CREAT | os.O_WRONLY)
    except OSError as error:
        check_equal(error.errno, errno.EROFS, "writing to the root")
    else:
        check(False, "the root can be written to")

    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    load = Load("alice", "s3cret", peer.port, clients=10, messages=100, length=200)
    Uclient(ctx, server, load, "uclient").exact()
    # uclient leaves unused allocations behind: a second SIGTERM does not wait for those.
    server.signal(signal.SIGTERM)
    server.wait_for_event("drain_started")
    server.signal(signal.SIGTERM)
    check_equal(server.launched().wait(20), 0, "exit status after the second SIGTERM")


def drain_and_report(ctx: Context, server: ContainerServer) -> None:
    """The next container on the volume goes on where the last one ended. SIGTERM with a call in
    progress: it goes on, and its end is the server's."""
    server.start()
    inside = json.loads(server.run_inside(["turnpike", "usage", "report", "--ledger",
                                           "/var/lib/turnpike", "--format", "json"]))
    check_equal(usage.summed(inside["rows"]), (200_000, 200_000), "the report from within")
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    call = Call(server, peer, b"bob", b"hunter2")
    call.echo(b"x" * 500, 10)
    server.signal(signal.SIGTERM)
    wait_for(lambda: server.get("/readyz", quiet=True)[0] == 503, 20, "a drain")
    check("healthy" in server.run_inside(["turnpiked", "--healthcheck"]), "healthy while it drains")
    call.echo(b"x" * 500, 10)
    call.release()
    check_equal(server.launched().wait(20), 0, "exit status after the drain")

    check_equal({path.name for path in server.state.iterdir()} >= {"usage.db", "live.slots"}, True,
                "the ledger lies on the volume")
    usage.check_integrity(server.state / "usage.db")
    answer = usage.usage(ctx, server, "report")
    check_equal(answer["complete"], True, "complete")
    billed = {row["account"]: (row["client_to_peer_bytes"], row["peer_to_client_bytes"])
              for row in answer["rows"]}
    check_equal(billed, {"acme": (200_000, 200_000), "globex": (10_000, 10_000)}, "the report")
