"""A changed configuration and a new certificate are taken up under load; a wrong one changes nothing."""

from __future__ import annotations

import copy
import os
import signal
import socket
import ssl
import threading

import prometheus
import usage
from e2e_admin import TOKEN, cli
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port, wait_for
from server import USERS, Server
from traffic import Call, in_parallel
from turn_client import TurnClient

ALICE, AMBER, BOB, CAROL = ((b"alice", b"s3cret"), (b"amber", b"s4cret"), (b"bob", b"hunter2"),
                            (b"carol", b"n3w"))
CAROL_ENTRY = {"username": "carol", "password": "n3w", "account": "acme"}
NEW_SECRET = "south-star-91ab"


def run(ctx: Context) -> None:
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    make_certificate(ctx, "first")
    server = Server(ctx, workers=2, admin={"token": TOKEN},
                    tls={"certificate": str(ctx.directory / "cert.pem"),
                         "key": str(ctx.directory / "key.pem")})
    server.config["listen"].append({"transport": "tls", "address": "127.0.0.1",
                                    "port": free_port()})
    server.start()
    calls = [Call(server, peer, *user, ipv6=i % 2 == 1)
             for i, user in enumerate([ALICE, AMBER, BOB] * ctx.scaled(17, least=3))]
    done = threading.Event()

    def talk(mine: list[Call]) -> None:
        while not done.is_set():
            for call in mine:
                call.echo(bytes(160))
        for call in mine:
            check_equal(call.client.refresh(600).error, 0, "Refresh under keys from before")
            call.release()

    def change() -> None:
        try:
            good_reload(ctx, server)
            bad_reloads(ctx, server)
            certificate_alone(ctx, server)
            restart_keys(server)
        finally:
            done.set()

    in_parallel([change, *(lambda mine=calls[i::3]: talk(mine) for i in range(3))])
    server.stop()
    rows = {row["relayed_address"]: row for row in usage.sessions(ctx, server)}
    for call in calls:
        row = rows[call.relayed]
        check_equal((row["client_to_peer_bytes"], row["peer_to_client_bytes"]),
                    (call.echoed_bytes, call.echoed_bytes), f"the session of {call.relayed}")


def good_reload(ctx: Context, server: Server) -> None:
    """Users come and go, limits and the filter change, and new connections get a new certificate."""
    check_equal((errors(server, ALICE), errors(server, BOB), errors(server, CAROL)), (0, 0, 401),
                "before the reload")
    old = connect(server)
    first = old.getpeercert(binary_form=True)
    make_certificate(ctx, "second")
    server.config["auth"]["users"] = [u for u in copy.deepcopy(USERS) if u["username"] != "bob"]
    server.config["auth"]["users"].append(CAROL_ENTRY)
    server.config["auth"]["secrets"] = [NEW_SECRET, *server.config["auth"]["secrets"]]
    server.config["limits"] = {"max_lifetime": "2h", "allocations_per_username": 100}
    event = reload(server, "config_reloaded")
    for what in ("auth.users: +carol -bob", "auth.secrets: 1 added, 0 removed",
                 "limits.max_lifetime: 1h -> 2h", "limits.allocations_per_username: 0 -> 100"):
        check(what in event["changes"], f"`{what}` is not in {event['changes']}")
    for secret in (NEW_SECRET, "n3w", "hunter2"):
        check(secret not in server.launched().stdout(), f"the log shows {secret}")
    check_equal((errors(server, ALICE), errors(server, BOB), errors(server, CAROL)), (0, 401, 0),
                "after the reload")
    with TurnClient(("127.0.0.1", server.port), *ALICE) as client:
        answer = client.allocate(lifetime=7200)
        check_equal(int.from_bytes(answer.get(0x000D) or b"", "big"), 7200, "the lifetime")
        client.release()
    with connect(server) as new:
        check(new.getpeercert(binary_form=True) != first, "new connections get the old certificate")
    binding_over(old)
    old.close()
    check_metric(server, 1)


def bad_reloads(ctx: Context, server: Server) -> None:
    """A typing error, a key that cannot be read or does not fit, a bad rate card: log, metric and
    HTTP answer say so, and nothing changed."""
    good = copy.deepcopy(server.config)
    with connect(server) as before:
        certificate = before.getpeercert(binary_form=True)
    (ctx.directory / "other.pem").write_text("no key")
    rates = ctx.directory / "rates.yaml"
    rates.write_text("currency: EUR\nseller: {name: Example Relay Ltd}\ncards:\n"
                     "  - {id: a, effective_from: soon, prices: [{price: 1}]}\n")
    for change, words in (
            ({"limits": {"max_lifetme": "3h"}}, "did you mean `max_lifetime`"),
            ({"limits": {"max_lifetime": "soon"}}, "soon is not a duration"),
            ({"tls": {**good["tls"], "key": str(ctx.directory / "missing.pem")}}, "missing.pem"),
            ({"tls": {**good["tls"], "key": str(ctx.directory / "other.pem")}}, "other.pem"),
            ({"metering": {**good["metering"], "rates": str(rates)}}, "rates.yaml:4: ")):
        server.config = {**copy.deepcopy(good), "region": "us1", **change}
        server.config["auth"] = {**good["auth"], "users": []}
        event = reload(server, "config_reload_failed")
        check(words in event["problems"], f"`{words}` is not in {event['problems']}")
        answer = cli(ctx, server, "reload", status=1)
        check("nothing was changed" in answer and words in answer, f"the HTTP answer: {answer}")
        check_metric(server, 0)
        check_equal((errors(server, ALICE), errors(server, CAROL)), (0, 0), "after a bad reload")
        with connect(server) as now:
            check_equal(now.getpeercert(binary_form=True), certificate, "the certificate")
    server.config = good
    reload(server, "config_reloaded")
    check_metric(server, 1)


def certificate_alone(ctx: Context, server: Server) -> None:
    """A renewed certificate needs no signal, whatever else the configuration names meanwhile."""
    with connect(server) as before:
        certificate = before.getpeercert(binary_form=True)
    make_certificate(ctx, "third")

    def renewed() -> bool:
        with connect(server) as now:
            return now.getpeercert(binary_form=True) != certificate
    wait_for(renewed, 20, "the renewed certificate")
    check(any(e["event"] == "certificate_reloaded" for e in server.log_events()),
          "the log does not tell of the renewed certificate")


def restart_keys(server: Server) -> None:
    """What cannot change in a running server is named; the rest of the file is taken up."""
    server.config["workers"] = 3
    server.config["log"] = {"level": "warning", "format": "json"}
    event = reload(server, "config_needs_restart")
    check_equal(event["changes"], "workers: 2 -> 3", "what waits for a restart")
    check_equal(prometheus.value(prometheus.scrape(server), "turn_config_restart_needed"), 1,
                "turn_config_restart_needed")


def reload(server: Server, event: str) -> dict:
    """Sends SIGHUP and returns the event that it leads to."""
    seen = len([e for e in server.log_events() if e["event"] == event])
    server.write_config()
    os.kill(server.launched().pid, signal.SIGHUP)

    def told() -> dict | None:
        events = [e for e in server.log_events() if e["event"] == event]
        return events[-1] if len(events) > seen else None
    return wait_for(told, 20, f"the event {event}")


def errors(server: Server, user: tuple[bytes, bytes]) -> int:
    """The error code of a new allocation, which is released again; 0 when there is none."""
    with TurnClient(("127.0.0.1", server.port), *user) as client:
        error = client.try_allocate().error
        if not error:
            client.release()
        return error


def check_metric(server: Server, value: int) -> None:
    check_equal(prometheus.value(prometheus.scrape(server), "turn_config_last_reload_successful"),
                value, "turn_config_last_reload_successful")


def connect(server: Server) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", server.listener_port("tls")), timeout=10)
    return context.wrap_socket(plain)


def binding_over(connection: ssl.SSLSocket) -> None:
    """A connection from before the reload still serves."""
    connection.sendall(bytes.fromhex("000100002112a442") + bytes(12))
    check_equal(connection.recv(2), b"\x01\x01", "the answer over an older connection")


def make_certificate(ctx: Context, name: str) -> None:
    """Writes a new key and certificate under new names, then puts them in place, key first."""
    key, certificate = ctx.directory / f"{name}.key", ctx.directory / f"{name}.crt"
    ctx.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", certificate, "-days", "30", "-subj", f"/CN={name}"])
    os.replace(key, ctx.directory / "key.pem")
    os.replace(certificate, ctx.directory / "cert.pem")
