"""deploy/examples as an application developer copies it: the page's call goes through the relay."""

from __future__ import annotations

import os
from pathlib import Path

import network
import usage
from browser import devtools, launch, namespace
from e2e_twilio import add_account
from harness import Context, check, check_equal, free_port, wait_for
from server import Server

BACK_END = Path(__file__).parents[2] / "deploy/examples/backend.mjs"


def run(ctx: Context) -> None:
    network.need("node", "chromium", "certutil", "openssl", "ip")
    namespace.enter(ctx)
    authority = launch.make_authority(ctx)
    server = network.start_server(ctx, "turnpiked", authority, api={"port": free_port()})
    account = add_account(ctx, server)
    port = free_port()
    settings = {"TURNPIKE_SID": account["sid"], "TURNPIKE_TOKEN": account["auth_token"],
                "TURNPIKE_URL": f"http://127.0.0.1:{server.config['api']['port']}",
                "PORT": str(port)}
    back_end = ctx.spawn(["env", *(f"{name}={value}" for name, value in settings.items()),
                          "node", os.fspath(BACK_END)], "backend")
    wait_for(lambda: f":{port}" in back_end.stdout(), 20, "the back end to listen")
    page = devtools.Page(ctx, namespace.ADDRESS, authority)
    page.open(f"http://127.0.0.1:{port}/")
    page.evaluate("document.querySelector('#call').click()")
    page.wait("!/…$|^$/.test(document.querySelector('#status').textContent)", 40)
    page.look(ctx, "example")
    check_equal(page.evaluate("document.querySelector('#status').textContent"),
                "received: Hello through the relay", "the page")
    rows = wait_for(lambda: usage.sessions(ctx, server), 20, "the sessions")
    check_equal({(row["account"], row["label"]) for row in rows}, {("acme", "example")}, "who pays")
    printed = back_end.stdout() + back_end.stderr()
    check(account["auth_token"] not in printed, "the token is printed")
    answer = page.evaluate("fetch('/token').then((r) => r.text())")
    check(account["auth_token"] not in answer, "a browser sees the token")
    problems = [each for each in page.problems if "favicon" not in each]
    check_equal(problems, [], "errors in the page")
    server.stop()
