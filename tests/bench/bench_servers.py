"""The servers that compare holds against each other, one relay thread each, on loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from bench_cell import Cell  # noqa: E402
from harness import Context, Failure, Process, free_port, wait_for  # noqa: E402
from server import RELAY_PORTS, Server  # noqa: E402

USERNAME = "alice"
PASSWORD = "s3cret"
REALM = "turnpike.example"


class Running:
    """A server that serves: where it listens, and what it has used."""

    def __init__(self, process: Process, port: int, tls_port: int):
        self.process = process
        self.port = port
        self.tls_port = tls_port

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        # clock_getcpuclockid(3), which Python does not have.
        return time.clock_gettime(~self.pid << 3 | 2)

    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self) -> None:
        if self.process.running():
            self.process.terminate()
            if not self.process.ends_within(5):
                self.process.kill()


class Contender:
    """A kind of server. Each start is a fresh process with nothing left from the last one."""

    transports = ("udp", "tcp", "tls")

    def __init__(self, name: str, ctx: Context):
        self.name = name
        self.ctx = ctx

    def takes(self, cell: Cell) -> bool:
        """Whether the cell says anything about it."""
        return cell.transport in self.transports

    def start(self) -> Running:
        raise NotImplementedError


class Turnpiked(Contender):
    """turnpiked of one build, with all that is on by default: metering, metrics, log."""

    def __init__(self, name: str, ctx: Context, program: Path, workers: int = 1):
        super().__init__(name, ctx)
        self.program = program
        self.workers = workers
        if not program.exists():
            raise Failure(f"{program} is not there: tools/build release")

    def takes(self, cell: Cell) -> bool:
        return super().takes(cell) and (self.workers == 1 or cell.kind == "workers")

    def start(self) -> Running:
        state = self.ctx.directory / f"{self.name}-state"
        shutil.rmtree(state, ignore_errors=True)
        tls_port = free_port()
        server = Server(self.ctx, self.name)
        # Only what is needed: an older build that is run beside knows these keys too.
        server.config = {
            "workers": self.workers,
            "listen": [{"transport": "udp", "address": "127.0.0.1", "port": server.port},
                       {"transport": "tcp", "address": "127.0.0.1", "port": server.port},
                       {"transport": "tls", "address": "127.0.0.1", "port": tls_port}],
            "relay": {"addresses": [{"bind": "127.0.0.1"}], "ports": RELAY_PORTS,
                      "peers": {"allow": ["127.0.0.0/8"]}},
            "auth": {"realm": REALM, "users": [{"username": USERNAME, "password": PASSWORD,
                                                "account": "acme"}]},
            "tls": {"certificate": str(self.ctx.directory / "cert.pem"),
                    "key": str(self.ctx.directory / "key.pem"), "versions": [1.2]},
            "metering": {"directory": str(state), "checkpoint": "5s"},
            "admin": {"address": "127.0.0.1", "port": server.admin_port},
        }
        server.program = self.program
        server.start()
        assert server.process is not None
        return Running(server.process, server.port, tls_port)


class Coturn(Contender):
    """Debian's coturn without what a comparison does not need: no log, no CLI, one relay thread."""

    def takes(self, cell: Cell) -> bool:
        return super().takes(cell) and cell.kind not in ("generator", "workers")

    def start(self) -> Running:
        port, tls_port = free_port(), free_port()
        low, high = RELAY_PORTS.split("-")
        directory = self.ctx.directory
        process = self.ctx.spawn(
            ["turnserver", "-n", "--no-cli", "--lt-cred-mech", "--user", f"{USERNAME}:{PASSWORD}",
             "--realm", REALM, "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1",
             "--listening-port", str(port), "--tls-listening-port", str(tls_port),
             "--min-port", low, "--max-port", high, "--relay-threads", "1",
             "--allow-loopback-peers", "--no-multicast-peers", "--no-dtls",
             "--cert", str(directory / "cert.pem"), "--pkey", str(directory / "key.pem"),
             "--pidfile", str(directory / "coturn.pid"), "--userdb", str(directory / "coturn.db"),
             "--log-file", "/dev/null", "--no-stdout-log", "--simple-log"], "coturn")
        wait_for_port(process, "tcp", port)
        return Running(process, port, tls_port)


class Forwarder(Contender):
    """The bare forwarder: UDP alone."""

    transports = ("udp",)

    def __init__(self, name: str, ctx: Context, program: Path):
        super().__init__(name, ctx)
        self.program = program

    def takes(self, cell: Cell) -> bool:
        return super().takes(cell) and cell.kind in ("saturated", "fixed")

    def start(self) -> Running:
        port = free_port()
        process = self.ctx.spawn([self.program, str(port), USERNAME, PASSWORD], self.name)
        wait_for_port(process, "udp", port)
        return Running(process, port, 0)


def wait_for_port(process: Process, protocol: str, port: int) -> None:
    """Waits until somebody has the port."""
    wanted = f"0100007F:{port:04X}"

    def taken() -> bool:
        if not process.running():
            raise Failure(f"{process.name} ended at once: {process.stderr()[-1000:]}")
        return wanted in Path(f"/proc/net/{protocol}").read_text()

    wait_for(taken, 10, f"{process.name} to listen")
    time.sleep(0.1)  # the rest of its start


def make_certificate(directory: Path) -> None:
    """Writes cert.pem and key.pem, of the kind that TLS servers have today."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=directory, check=True, capture_output=True)
