"""turnpiked as the tests run it: on loopback, with free ports and a directory of its own."""

from __future__ import annotations

import copy
import http.client
import json
from pathlib import Path
from typing import Any

from harness import Context, Failure, Process, check_equal, free_port, wait_for

REALM = "turnpike.example"
SECRET = "north-star-7f3c"
REGION = "us1"

# Username, password, account, label: two accounts, one of them with two uses.
USERS = [
    {"username": "alice", "password": "s3cret", "account": "acme", "label": "web"},
    {"username": "amber", "password": "s4cret", "account": "acme", "label": "voice"},
    {"username": "bob", "password": "hunter2", "account": "globex"},
]

# Below the kernel's own range for clients. Two servers share it without harm: a port that is taken
# makes the server try another one.
RELAY_PORTS = "10000-32000"

START_SECONDS = 30


class Server:
    """One turnpiked. `start` may be called again after it has ended: same ports, same directory."""

    def __init__(self, ctx: Context, name: str = "turnpiked", **changes: Any):
        self.ctx = ctx
        self.name = name
        self.port = free_port()
        self.port6 = free_port("::1")
        self.admin_port = free_port()
        self.state = ctx.directory / f"{name}-state"
        self.state.mkdir(exist_ok=True)
        self.config = self._defaults()
        for key, value in changes.items():
            self.config[key] = merged(self.config.get(key), value)
        self.config_path = ctx.directory / f"{name}.yaml"
        self.process: Process | None = None
        self.prefix: list[str] = []  # what starts the server: a command that ends by running it
        self.program = ctx.turnpiked

    def _defaults(self) -> dict[str, Any]:
        return {
            "node": "relay-1",
            "region": REGION,
            "edge": "ashburn",
            "workers": 1,
            "drain_deadline": "0s",
            "listen": [
                {"transport": "udp", "address": "127.0.0.1", "port": self.port},
                {"transport": "udp", "address": "::1", "port": self.port6},
            ],
            "relay": {
                "addresses": [{"bind": "127.0.0.1"}, {"bind": "::1"}],
                "ports": RELAY_PORTS,
                "peers": {"allow": ["127.0.0.0/8", "::1/128"]},
            },
            "auth": {"realm": REALM, "secrets": [SECRET], "users": copy.deepcopy(USERS)},
            "metering": {"directory": str(self.state), "checkpoint": "1s"},
            "admin": {"address": "127.0.0.1", "port": self.admin_port},
            "log": {"level": "info", "format": "json"},
        }

    def listener_port(self, transport: str, ipv6: bool = False) -> int:
        """The port of the listener of that transport and family."""
        for listener in self.config["listen"]:
            if listener["transport"] == transport and (":" in listener["address"]) == ipv6:
                return int(listener["port"])
        raise Failure(f"no listener for {transport}, IPv6 {ipv6}")

    def write_config(self) -> Path:
        """Writes the configuration: YAML whose values are in flow style, which JSON is."""
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in self.config.items()]
        self.config_path.write_text("".join(lines))
        return self.config_path

    def launch(self) -> Process:
        """Starts the server without waiting for it."""
        self.write_config()
        self.process = self.ctx.spawn([*self.prefix, self.program, "--config", self.config_path],
                                      self.name)
        return self.process

    def start(self) -> "Server":
        """Starts the server and waits until it says that it is ready."""
        process = self.launch()

        def ready() -> bool:
            if not process.running():
                raise Failure(f"{self.name} ended with {process.popen.returncode}: "
                              f"{process.stderr().strip()} {process.stdout().strip()[-2000:]}")
            return self.get("/readyz", quiet=True)[0] == 200

        wait_for(ready, START_SECONDS, f"{self.name} to be ready")
        return self

    def stop(self, seconds: float = 20) -> None:
        """Sends SIGTERM and waits for exit status 0."""
        process = self._running()
        process.terminate()
        status = process.wait(seconds)
        check_equal(status, 0, f"{self.name}: exit status after SIGTERM "
                               f"(stderr: {process.stderr().strip()[-2000:]})")

    def kill9(self) -> None:
        self._running().kill()

    def get(self, path: str, quiet: bool = False) -> tuple[int, str]:
        """Answers the admin endpoint's status and body; (0, "") when quiet and nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            if quiet:
                return 0, ""
            raise
        finally:
            connection.close()

    def log_events(self) -> list[dict[str, Any]]:
        """Parses standard output: every line must be a JSON object."""
        events = []
        for line in self.launched().stdout_path.read_bytes().decode("utf-8").split("\n"):
            if line:
                event = json.loads(line)
                if not isinstance(event, dict):
                    raise Failure(f"a log line is not an object: {line}")
                events.append(event)
        return events

    def wait_for_event(self, name: str, seconds: float = 20) -> dict[str, Any]:
        """Returns the first logged event of that name."""
        def find() -> dict[str, Any] | None:
            return next((e for e in self.log_events() if e.get("event") == name), None)
        return wait_for(find, seconds, f"the log event {name}")

    def launched(self) -> Process:
        """The process of the last start, which may have ended."""
        if self.process is None:
            raise Failure(f"{self.name} was never started")
        return self.process

    def _running(self) -> Process:
        process = self.launched()
        if not process.running():
            raise Failure(f"{self.name} has ended by itself with {process.popen.returncode}: "
                          f"{process.stderr().strip()[-2000:]}")
        return process


def merged(old: Any, new: Any) -> Any:
    """Returns `new` laid over `old`: mappings member by member, everything else replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    return new
