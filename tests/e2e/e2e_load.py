"""turnpike load against turnpiked: every transport, the bill to the byte, hostile clients, and what
goes wrong."""

from __future__ import annotations

import json
import signal
import xml.etree.ElementTree as ElementTree

from e2e_streams import certificate
from harness import Context, check, check_equal, free_port, wait_for
from honest import listen_as_load_expects, load_arguments
from server import SECRET, Server


def run(ctx: Context) -> None:
    server = Server(ctx, tls=certificate(ctx))
    listen_as_load_expects(server)
    server.start()
    exact(ctx, server)
    directions(ctx, server)
    churn(ctx, server)
    hostile(ctx, server)
    refused(ctx, server)
    interrupted(ctx, server)
    dies(ctx, server)


def exact(ctx: Context, server: Server) -> None:
    """The four transports at once; every output; the ledger and the metrics to the byte."""
    files = {name: ctx.directory / f"load.{name}" for name in ("json", "hdr", "html", "junit")}
    ctx.cli(*load_arguments(
        server, "--secret", SECRET, "--account", "acme", "--sessions", str(ctx.scaled(200, 20)),
        "--pps", str(ctx.scaled(2000, 100)), "--duration", "3s", "--threads", "2",
        "--transport", "udp=2,tcp=1,tls=1,dtls=1", "--assert-billing", "--ledger", str(server.state),
        "--metrics", f"http://127.0.0.1:{server.admin_port}/metrics",
        "--server-pid", str(server.process.pid), "--threshold", "loss<=0%",
        "--threshold", "failed<1", *(w for name, f in files.items() for w in (f"--{name}", f))))
    result = json.loads(files["json"].read_text())
    check_equal(result["failures"], {}, "failed sessions")
    check_equal(result["loss"], 0, "loss")
    check(result["client_to_peer"]["sent_packets"] > 0, "nothing was sent")
    check_equal(result["billing"]["passed"], True, f"the bill: {result['billing']}")
    check_equal(result["billing"]["ledger_bytes"], result["relayed_bytes"], "bytes in the ledger")
    check_equal(result["billing"]["metrics_bytes"], result["relayed_bytes"], "bytes in metrics")
    check(result["server_process"]["resident_bytes"] > 0, "the server has no memory")
    cases = ElementTree.parse(files["junit"]).getroot()
    check_equal([cases.get("tests"), cases.get("failures")], ["4", "0"], "JUnit's tests")
    check("<svg" in files["html"].read_text(), "the page has no plot")
    check("#[Max" in files["hdr"].read_text(), "the percentile file has no end")


def directions(ctx: Context, server: Server) -> None:
    """Each direction counts where it should, with Send and Data as well."""
    for direction, up, down in (("up", True, False), ("down", False, True), ("duplex", True, True)):
        done = ctx.cli(*load_arguments(
            server, "--secret", SECRET, "--sessions", "6", "--pps", "300", "--duration", "1s",
            "--transport", "udp,tcp,tls,dtls", "--mode", "send", "--direction", direction, "--json", "-",
            "--assert-billing", "--ledger", str(server.state)))
        result = json.loads(done.stdout)
        check_equal([result["client_to_peer"]["received_packets"] > 0,
                     result["peer_to_client"]["received_packets"] > 0], [up, down], direction)


def churn(ctx: Context, server: Server) -> None:
    """Sessions that come and go are all in the ledger, each once."""
    done = ctx.cli(*load_arguments(
        server, "--secret", SECRET, "--sessions", "20", "--profile", "opus", "--ramp", "500ms",
        "--duration", "3s", "--churn", "20", "--settle", "200ms", "--json", "-",
        "--assert-billing", "--ledger", str(server.state)))
    result = json.loads(done.stdout)
    check(result["sessions"] > 40, f"only {result['sessions']} sessions in 3 s at 20 a second")
    check_equal(result["billing"]["sessions"], result["sessions"], "compared sessions")


def hostile(ctx: Context, server: Server) -> None:
    """Each kind of hostile clients says what it did and what came of it; the server lives on."""
    def run_kind(kind: str, *more: str) -> dict[str, dict[str, int]]:
        done = ctx.cli(*load_arguments(
            server, "--secret", SECRET, "--sessions", "4", "--pps", "200", "--duration", "1s",
            "--hostile", kind, "--json", "-", *more))
        result: dict[str, dict[str, int]] = json.loads(done.stdout)
        check(sum(result["did"].values()) > 0, f"{kind} did nothing: {result}")
        return result
    answered = run_kind("bad-auth")["answered"]
    check_equal(list(answered), ["answered 401 (Unauthenticated)"], "answers to wrong passwords")
    check_equal(run_kind("no-permission")["answered"], {}, "packets without a permission")
    slow = run_kind("slow-reader", "--transport", "tcp,tls")
    check_equal(sum(slow["answered"].values()), sum(slow["did"].values()),
                f"packets for who did not read: {slow}")
    half = run_kind("half-tls")
    check("still waited for the rest at the end" in half["answered"], f"half TLS: {half}")
    check_equal(live(server), [" 0 "], "allocations that hostile clients left")


def refused(ctx: Context, server: Server) -> None:
    """Each mistake ends soon, with a status and a sentence that says what is wrong."""
    short = ["--sessions", "2", "--duration", "1s", "--patience", "2s"]
    closed = free_port()
    for more, sentence in (
            (load_arguments(server, "--secret", "wrong", *short), b"wrong user or password"),
            (load_arguments(server, "--secret", SECRET, "--peer-address", "10.255.255.254", *short),
             b"cannot bind to 10.255.255.254"),
            (["load", "--server", f"127.0.0.1:{closed}", "--secret", SECRET, *short],
             b"nobody listens on"),
            (["load", "--server", f"127.0.0.1:{closed}", "--secret", SECRET, "--transport", "tcp",
              *short], b"cannot connect to"),
            (["load", "--server", "no-such-host.invalid", "--secret", SECRET, *short],
             b"cannot find the host"),
            (["load", "--server", "127.0.0.1", "--tls-port", str(closed), "--secret", SECRET,
              "--transport", "dtls", *short], b"over dtls (ICMP port unreachable)"),
            (load_arguments(server, "--secret", SECRET, "--transport", "sctp", *short),
             b"use udp, tcp, tls or dtls"),
            (load_arguments(server, "--secret", SECRET, "--hostile", "rude", *short), b"bad-auth"),
            (load_arguments(server, *short), b"who logs in?"),
            (load_arguments(server, "--secret", SECRET, "--threshold", "p99", *short), b"p99<5ms"),
            (load_arguments(server, "--secret", SECRET, "--threshold", "p50<1us", *short),
             b"a threshold was not met")):
        done = ctx.cli(*more, status=1)
        check(sentence in done.stdout + done.stderr,
              f"{more}: {sentence!r} is not in {done.stdout + done.stderr!r}")


def interrupted(ctx: Context, server: Server) -> None:
    """^C prints what was measured so far and gives the allocations back."""
    process = ctx.spawn([ctx.turnpike, *load_arguments(
        server, "--secret", SECRET, "--sessions", "10", "--duration", "60s")], "interrupted")
    wait_for(lambda: " 10 " in " ".join(live(server)), 20, "10 allocations")
    process.popen.send_signal(signal.SIGINT)
    check_equal(process.wait(20), 0, "exit status after ^C")
    check("(interrupted)" in process.stdout(), f"the table does not say so: {process.stdout()}")
    wait_for(lambda: " 0 " in " ".join(live(server)), 10, "no allocation")


def live(server: Server) -> list[str]:
    """The number of allocations, between blanks."""
    page = server.get("/metrics")[1]
    total = sum(float(line.split()[-1]) for line in page.splitlines()
                if line.startswith("turn_allocations{") or line.startswith("turn_allocations "))
    return [f" {int(total)} "]


def dies(ctx: Context, server: Server) -> None:
    """A server that is killed under load ends the run, with an error, for each transport."""
    for transport in ("udp", "tcp"):
        process = ctx.spawn([ctx.turnpike, *load_arguments(
            server, "--secret", SECRET, "--sessions", "5", "--duration", "60s",
            "--transport", transport)], f"dies-{transport}")
        wait_for(lambda: " 5 " in " ".join(live(server)), 20, "5 allocations")
        server.kill9()
        check_equal(process.wait(20), 1, f"exit status over {transport} without a server")
        check("turnpike load: " in process.stderr(), f"it does not say why: {process.stderr()}")
        server.start()
