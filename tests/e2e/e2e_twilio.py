"""The real `twilio` package from npm, pointed at Turnpike, as a customer of a hosted service uses it:
a token, a relayed call of a real browser with it, the call's usage and price, a trigger's webhook."""

from __future__ import annotations

import hashlib
import json
import shutil
import ssl
import subprocess
import threading
import urllib.parse
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import usage
from browser import launch, namespace
from browser.page_server import PageServer
from harness import Context, Skipped, check, check_equal, free_port, wait_for
from server import Server

HERE = Path(__file__).parent / "twilio"
RATES = """currency: USD
seller: {name: Test}
cards:
  - {id: test, effective_from: 2020-01-01, unit: GB, prices: [{price: 0.40}]}
"""


def run(ctx: Context) -> None:
    absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    absent += launch.missing("chromium")
    if absent:
        raise Skipped(f"not installed: {', '.join(absent)}")
    package = install(ctx)
    namespace.enter(ctx)
    authority = launch.make_authority(ctx)
    server, base = start_server(ctx, authority)
    account = add_account(ctx, server)
    hook = Webhook(authority)
    ctx.on_cleanup(hook.close)
    options = {"base": base, "sid": account["sid"], "token": account["auth_token"],
               "callback": hook.url}

    def step(name: str, **more: Any) -> Any:
        done = ctx.run(["node", package / "steps.mjs", name, json.dumps(options | more)])
        return json.loads(done.stdout)

    token = step("token")
    check_token(token, account["sid"])
    check_equal(step("errors"), {"ttl": {"status": 400, "code": 20001},
                                 "token": {"status": 401, "code": 20003},
                                 "other": {"status": 404, "code": 20404}}, "errors")
    check_triggers(step("triggers"))
    step("trigger", callback=hook.misnamed_url)
    call(ctx, token, authority)
    billed = ended_bytes(ctx, server)
    check_usage(step("usage"), billed)
    check_webhook(wait_for(lambda: hook.received, 30, "the trigger's webhook")[0], step, account)
    wait_for(lambda: hook.name_refused(server), 30, "an address that the certificate does not name")
    server.stop()


def install(ctx: Context) -> Path:
    """Installs what the lock file names, into the test's own directory."""
    package = ctx.directory / "twilio"
    shutil.copytree(HERE, package)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts",
                           "--prefer-offline"], cwd=package, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Skipped(f"npm cannot install twilio: {done.stderr.decode()[-300:]}")
    return package


def start_server(ctx: Context, authority: launch.Authority) -> tuple[Server, str]:
    rates = ctx.directory / "rates.yaml"
    rates.write_text(RATES)
    port, api = free_port(namespace.ADDRESS), free_port()
    server = Server(
        ctx, listen=[{"transport": "udp", "address": namespace.ADDRESS, "port": port},
                     {"transport": "tcp", "address": namespace.ADDRESS, "port": port}],
        relay={"addresses": [{"bind": namespace.ADDRESS}], "peers": {"allow": []}},
        metering={"rates": str(rates)},
        api={"port": api, "webhook_networks": ["127.0.0.0/8"],
             "webhook_authorities": str(authority.authority)}).start()
    return server, f"http://127.0.0.1:{api}"


def add_account(ctx: Context, server: Server) -> dict[str, str]:
    """Makes the account while the server runs."""
    done = ctx.cli("account", "add", "--config", server.config_path, "--account", "acme")
    return dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())


def check_token(token: dict[str, Any], sid: str) -> None:
    check_equal((token["accountSid"], token["ttl"]), (sid, "3600"), "the token's account and ttl")
    servers = token["iceServers"]
    check(servers[0]["urls"].startswith("stun:"), f"the first ICE server: {servers[0]}")
    turn = [s for s in servers if s["urls"].startswith("turn:")]
    check_equal(len(turn), 2, "TURN servers")
    for each in turn:
        check_equal((each["username"], each["credential"]),
                    (token["username"], token["password"]), "an ICE server's credential")
    check(token["dateCreated"].endswith("Z"), f"a date that the client could read: {token}")


def check_triggers(result: dict[str, Any]) -> None:
    check_equal([t["sid"] for t in result["listed"]], [result["made"]["sid"]], "triggers listed")
    check_equal(result["fetched"]["friendlyName"], "a byte", "the trigger's name")
    check_equal((result["removed"], result["left"]), (True, 1), "the other trigger is removed")


def call(ctx: Context, token: dict[str, Any], authority: launch.Authority) -> None:
    """Two ends in Chromium talk through the relay alone, with the token as the package gave it."""
    side = {"username": token["username"], "password": token["password"], "bytes": 300_000}
    urls = [s["urls"] for s in token["iceServers"] if s["urls"].endswith("transport=udp")]
    case = {"name": "call", "urls": urls, "media_seconds": 1, "a": side, "b": side}
    page = PageServer([case])
    ctx.on_cleanup(page.close)
    process = launch.start(ctx, "chromium", page.url, namespace.ADDRESS, authority)
    wait_for(lambda: page.results or not process.running(), 90, "the call's result")
    check_equal(page.results.get("call", {}).get("error"), "", "the call's error")


def ended_bytes(ctx: Context, server: Server) -> int:
    """The billable bytes of the call, once its sessions have ended and are in the ledger."""
    def ended() -> list[dict[str, Any]]:
        rows = usage.sessions(ctx, server)
        return rows if rows and all(row["ended_at"] for row in rows) else []
    rows = wait_for(ended, 30, "the sessions' ends")
    check_equal({row["account"] for row in rows}, {"acme"}, "who pays")
    return sum(row["billable_bytes"] for row in rows)


def check_usage(result: dict[str, Any], billed: int) -> None:
    """Each way of asking tells the call's bytes, and what they cost."""
    check(billed >= 600_000, f"{billed} bytes billed")
    for name, rows in result.items():
        row = next(r for r in rows if r["category"] == "turnmegabytes")
        check_equal(Decimal(row["usage"]) * 10**6, billed, f"usage of {name}")
        check_equal(Decimal(str(row["price"])), Decimal("0.40") * billed / 10**9,
                    f"price of {name}")
        check_equal((row["countUnit"], row["priceUnit"]), ("megabytes", "usd"), f"units of {name}")
    regions = {r["category"] for r in result["records"]}
    check_equal(regions, {"turnmegabytes", "turnmegabytes-useast"}, "categories")


def check_webhook(received: tuple[dict[str, str], str, str], step: Any,
                  account: dict[str, str]) -> None:
    """The package's own check takes the signature, under the documented key."""
    parameters, signature, url = received
    check_equal((parameters["AccountSid"], parameters["UsageCategory"]),
                (account["sid"], "turnmegabytes"), "what the webhook tells")
    key = hashlib.sha256(account["auth_token"].encode()).hexdigest()
    for tried, right in ((key, True), (account["auth_token"], False)):
        check_equal(step("verify", key=tried, signature=signature, url=url,
                         parameters=parameters), right, "validateRequest")


class Webhook:
    """A customer's receiver, over TLS. It fails the first time, so that the message must come again.
    """

    def __init__(self, authority: launch.Authority) -> None:
        self.received: list[tuple[dict[str, str], str, str]] = []
        hook = self
        failures = [500]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = failures.pop() if failures else 200
                if status == 200:
                    fields = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
                    hook.received.append((fields, self.headers["X-Twilio-Signature"], hook.url))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"https://localhost:{self._http.server_port}/hook?x=1"
        self.misnamed_url = self.url.replace("localhost", "127.0.0.1")
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def name_refused(self, server: Server) -> bool:
        """Whether the server has refused to talk to a host that the certificate does not name."""
        return any(event["url"] == self.misnamed_url and "certificate" in event["error"]
                   for event in server.log_events() if event["event"] == "webhook_failed")

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
