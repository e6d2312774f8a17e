"""turnpike replay: sizes, gaps, the bill to the byte and before it is sent, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from captures import Packet, frame, opus_call, payload_bytes, video_call, write_pcap, write_pcapng
from e2e_load import live
from e2e_streams import certificate
from harness import Context, check, check_equal, free_port, wait_for
from server import REGION, SECRET, Server
from sniffer import Sniffer

PHONE, OTHER = ("10.0.0.1", 4000), ("198.51.100.2", 5000)
CAMERA, VIEWER = ("10.0.0.1", 4002), ("198.51.100.2", 5002)

RATES = """
currency: EUR
seller: {name: Test}
cards:
  - {id: payload-card, effective_from: 2020-01-01, unit: MB, prices: [{price: 10}]}
"""


def run(ctx: Context) -> None:
    server = Server(ctx, tls=certificate(ctx), listen=[
        {"transport": transport, "address": "127.0.0.1", "port": free_port()}
        for transport in ("udp", "tcp", "tls")])
    server.config["listen"][1]["port"] = server.config["listen"][0]["port"]
    server.start()
    calls = opus_call(PHONE, OTHER, 2, seed=1) + video_call(CAMERA, VIEWER, 2, seed=2)
    # A name server's answer is no media.
    noise = [Packet(5, ("192.0.2.53", 53), ("10.0.0.1", 3333), b"\x01" * 40)]
    files = [write_pcap(ctx.directory / "calls.pcap", calls + noise),
             write_pcapng(ctx.directory / "calls.pcapng", calls + noise)]
    listed(ctx, files, calls)
    sniffed = exact(ctx, server, files[0], calls)
    turn_capture(ctx, server, sniffed, calls)
    multiplied(ctx, server, files[1], calls)
    refused(ctx, server, files[0])
    interrupted(ctx, server, files[0])
    dies(ctx, server, files[0])


def arguments(server: Server, capture: Path, *more: str) -> list[str]:
    return ["replay", str(capture), "--server", f"127.0.0.1:{server.listener_port('udp')}",
            "--tls-port", str(server.listener_port("tls")), "--secret", SECRET, *more]


def listed(ctx: Context, files: list[Path], calls: list[Packet]) -> None:
    """--dry-run: both formats hold the same, and the table reads as it should."""
    pcap, pcapng = (flows(ctx, file) for file in files)
    check_equal(pcap["flows"], pcapng["flows"], "flows of pcap and pcapng")
    check_equal([each["kind"] for each in pcap["flows"]], ["other", "RTP", "RTP"], "kinds")
    check_equal(pcap["replayed_bytes"], payload_bytes(calls), "bytes to replay")
    other = flows(ctx, files[0], "--client", f"{OTHER[0]}/32")["flows"]
    check_equal([each["client"] for each in other[1:]],
                [f"{ip}:{port}" for ip, port in (OTHER, VIEWER)], "clients that were named")
    table = ctx.cli("replay", files[0], "--dry-run").stdout.decode()
    for words in ("10.0.0.1:4000 -> 198.51.100.2:5000", "Opus? (111, 48 kHz)",
                  "video? (96, 90 kHz)", "- other"):
        check(words in table, f"{words!r} is not in the table:\n{table}")


def flows(ctx: Context, file: Path, *more: str) -> dict[str, Any]:
    return json.loads(ctx.cli("replay", file, "--dry-run", "--json", "-", *more).stdout)


def exact(ctx: Context, server: Server, capture: Path, calls: list[Packet]) -> list[Packet]:
    """A replay under the eyes of the kernel: sizes, order and gaps; then the bill, three times."""
    rates = ctx.directory / "rates.yaml"
    rates.write_text(RATES)
    bill = ["--rates", str(rates), "--account", "acme", "--region", REGION]
    foretold = json.loads(ctx.cli("replay", capture, "--predict", *bill, "--json", "-").stdout)
    check_equal(foretold["bytes"], payload_bytes(calls), "bytes that are foretold")
    with Sniffer(server.listener_port("udp")) as sniffer:
        done = ctx.cli(*arguments(
            server, capture, *bill, "--assert-billing", "--ledger", str(server.state), "--metrics",
            f"http://127.0.0.1:{server.admin_port}/metrics", "--threshold", "loss<=0%",
            "--threshold", "failed<1", "--json", "-"))
    result = json.loads(done.stdout)
    check_equal(result["sessions"], 2, "sessions")
    check_equal(result["relayed_bytes"], payload_bytes(calls), "relayed bytes")
    check_equal(result["billing"]["ledger_bytes"], payload_bytes(calls), "bytes in the ledger")
    check_equal(result["billing"]["metrics_bytes"], payload_bytes(calls), "bytes in metrics")
    check_equal(result["forecast"]["passed"], True, f"forecast {result['forecast']}")
    invoice = json.loads(ctx.cli(
        "usage", "invoice", "--ledger", server.state, "--rates", rates, "--account", "acme",
        "--period", foretold["period"], "--format", "json").stdout)
    for key in ("bytes", "total", "currency"):
        check_equal(invoice[key], foretold[key], f"the invoice's {key}")
    late = 1000 * result["lateness_us"]["max"]
    for client, peer in ((PHONE, OTHER), (CAMERA, VIEWER)):
        check_flow(sniffer.packets, server, calls, client, peer, late)
    return sniffer.packets


def check_flow(sniffed: list[Packet], server: Server, calls: list[Packet], client: tuple[str, int],
               peer: tuple[str, int], late: float) -> None:
    """What the client sent to the server, by the kernel's books, is what the capture has."""
    wanted = sorted((each for each in calls if (each.source, each.target) == (client, peer)),
                    key=lambda each: each.time)
    sizes = [len(each.payload) for each in wanted]
    by_client: dict[int, list[tuple[int, int]]] = {}
    for packet in sniffed:
        if packet.target[1] == server.listener_port("udp") and packet.payload[0] & 0xC0 == 0x40:
            for size in channel_sizes(packet.payload):
                by_client.setdefault(packet.source[1], []).append((packet.time, size))
    sent = next((each for each in by_client.values() if [size for _, size in each] == sizes), None)
    if sent is None:
        counts = {port: len(each) for port, each in by_client.items()}
        raise AssertionError(f"no client sent the {len(sizes)} sizes of {client}, only {counts}")
    # How late packets are depends on who else uses the machine, so the generator's own figure is
    # the measure. Between its clock and the kernel's may lie a while, too.
    for (time, _), packet in zip(sent, wanted):
        early = (packet.time - wanted[0].time) - (time - sent[0][0])
        check(early <= late + 1e6, f"a packet leaves {early} ns too early, against {late} ns")
    span = wanted[-1].time - wanted[0].time
    check(abs(sent[-1][0] - sent[0][0] - span) < 1e9, "the replay lasts another time")


def channel_sizes(datagram: bytes) -> list[int]:
    """The payloads of ChannelData; several where the kernel has not cut a GSO burst yet."""
    sizes = []
    while datagram:
        sizes.append(int.from_bytes(datagram[2:4], "big"))
        datagram = datagram[4 + sizes[-1]:]
    return sizes


def turn_capture(ctx: Context, server: Server, sniffed: list[Packet], calls: list[Packet]) -> None:
    """What the kernel saw between clients and server is a TURN capture: the same data again."""
    first = min(each.time for each in sniffed)
    capture = write_pcap(ctx.directory / "turn.pcap",
                         [each._replace(time=each.time - first) for each in sniffed])
    seen = flows(ctx, capture)
    check_equal([each["kind"] for each in seen["flows"]], ["TURN", "TURN"], "kinds")
    check_equal({each["peer"] for each in seen["flows"]},
                {f"127.0.0.1:{server.listener_port('udp')}"}, "servers")
    check_equal(seen["replayed_bytes"], payload_bytes(calls), "application data of a TURN capture")
    done = ctx.cli(*arguments(server, capture, "--speed", "4", "--json", "-", "--assert-billing",
                              "--ledger", str(server.state)))
    result = json.loads(done.stdout)
    check_equal(result["billing"]["ledger_bytes"], payload_bytes(calls), "bytes in the ledger")


def multiplied(ctx: Context, server: Server, capture: Path, calls: list[Packet]) -> None:
    """Copies, rounds, speed and all transports, with Send and Data, priced by wire bytes."""
    rates = ctx.directory / "wire.yaml"
    rates.write_text(RATES.replace("unit: MB", "basis: wire, unit: MB"))
    files = {name: ctx.directory / f"replay.{name}" for name in ("html", "junit")}
    done = ctx.cli(*arguments(
        server, capture, "--speed", "4", "--loop", "2", "--sessions", "3", "--stagger", "300ms",
        "--transport", "udp,tcp,tls", "--mode", "send", "--account", "wire", "--region", REGION,
        "--rates", str(rates), "--assert-billing", "--ledger", str(server.state), "--json", "-",
        *(word for name, file in files.items() for word in (f"--{name}", str(file)))))
    result = json.loads(done.stdout)
    check_equal(result["sessions"], 6, "sessions")
    check_equal(result["billing"]["ledger_bytes"], 6 * payload_bytes(calls), "bytes in the ledger")
    check_equal(result["forecast"]["passed"], True, f"forecast {result['forecast']}")
    check("<svg" in files["html"].read_text(), "the page has no plot")
    check('name="forecast"' in files["junit"].read_text(), "JUnit has no test for the forecast")


def refused(ctx: Context, server: Server, capture: Path) -> None:
    """Each mistake ends soon, with a status and a sentence that says what is wrong."""

    def broken(name: str, content: bytes) -> Path:
        path = ctx.directory / name
        path.write_bytes(content)
        return path

    whole = capture.read_bytes()
    foreign = write_pcap(ctx.directory / "foreign.pcap",
                         [Packet(0, ("192.0.2.53", 53), PHONE, b"\x01" * 40)])
    arp = frame(Packet(0, PHONE, OTHER, b""))[:12] + b"\x08\x06" + bytes(28)
    no_udp = broken("arp.pcap", whole[:24] + bytes(8) + 2 * len(arp).to_bytes(4, "little") + arp)
    closed = ["--server", f"127.0.0.1:{free_port()}", "--secret", SECRET, "--patience", "2s"]
    for more, sentence in (
            (["replay", broken("empty.pcap", b""), *closed], b"is empty"),
            (["replay", broken("text.pcap", b"no capture at all"), *closed], b"is no capture"),
            (["replay", broken("cut.pcap", whole[:-7]), *closed], b"is cut off after"),
            (["replay", broken("cut.pcap", whole[:-7]), "--dry-run"], b"--allow-truncated"),
            (["replay", ctx.directory / "none.pcap", *closed], b"No such file"),
            (["replay", foreign, *closed], b"holds neither RTP nor a TURN client's leg"),
            (["replay", no_udp, *closed], b"holds no UDP among 1 packet (1 not IP)"),
            (["replay", capture, *closed], b"nobody listens on"),
            (["replay", capture, "--server", "no-such-host.invalid", "--secret", SECRET],
             b"cannot find the host"),
            (["replay", capture, "--secret", SECRET], b"where to?"),
            (["replay", capture, "--predict"], b"needs --rates"),
            (["replay", capture, *closed, "--flow", "9"], b"has 3 UDP flows"),
            (arguments(server, capture)[:-2] + ["--secret", "wrong"], b"wrong user or password"),
            (arguments(server, capture, "--duration", "200ms", "--threshold", "gap-p50<0us"),
             b"a threshold was not met")):
        done = ctx.cli(*more, status=1)
        check(sentence in done.stdout + done.stderr,
              f"{more}: {sentence!r} is not in {done.stdout + done.stderr!r}")


def interrupted(ctx: Context, server: Server, capture: Path) -> None:
    """^C prints what was measured so far and gives the allocations back."""
    process = ctx.spawn([ctx.turnpike, *arguments(server, capture, "--loop", "0", "--sessions",
                                                  "3")], "replay-interrupted")
    wait_for(lambda: " 6 " in " ".join(live(server)), 20, "6 allocations")
    os.kill(process.pid, signal.SIGINT)
    check_equal(process.wait(20), 0, "exit status after ^C")
    check("(interrupted)" in process.stdout(), f"the table does not say so: {process.stdout()}")
    wait_for(lambda: " 0 " in " ".join(live(server)), 10, "no allocation")


def dies(ctx: Context, server: Server, capture: Path) -> None:
    """A server that is killed in the middle ends the replay, with an error."""
    process = ctx.spawn([ctx.turnpike, *arguments(server, capture, "--loop", "0")], "replay-dies")
    wait_for(lambda: " 2 " in " ".join(live(server)), 20, "2 allocations")
    server.kill9()
    check_equal(process.wait(20), 1, "exit status without a server")
    check("turnpike replay: " in process.stderr(), f"it does not say why: {process.stderr()}")
