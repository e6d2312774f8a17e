"""100,000 Allocate requests without credentials from changing ports: what they get, what they cost.

They come from one address, which is not that of the honest calls beside them; a raw socket chooses the ports.
"""

from __future__ import annotations

import os
import socket
import struct
import time

import prometheus
import stun
from harness import Context, check, check_equal
from honest import Honest, listen_as_load_expects, packets_sent
from server import Server
from stun import Message
from turn_client import TurnClient

REQUESTS = 100_000
# After so many the flood waits for an answer to an honest request: the server has read all of them
# then, and no receive buffer ran over.
BURST = 500
RATE = 200  # answers per second to one source, the honest callers' as well
IP_AND_UDP = 28
CALLS = 500


def run(ctx: Context) -> None:
    server = Server(ctx, workers=2, limits={"unauthenticated_answers": RATE})
    listen_as_load_expects(server)
    server.start()
    smallest = Message(stun.ALLOCATE, stun.REQUEST).encode()
    answer = answer_to(server, smallest)
    check_equal(len(smallest), 20, "the smallest request")
    amplification = (len(answer) + IP_AND_UDP) / (len(smallest) + IP_AND_UDP)
    check(amplification <= 3.0, f"an answer is {amplification:.2f} times its request on the wire")

    flood(server, 5_000)  # what a server touches once it has touched then
    calls = ctx.scaled(CALLS)
    honest = Honest(ctx, server, calls, 10 * calls, transports="udp")
    before = prometheus.scrape(server)
    count = ctx.scaled(REQUESTS)
    begin = time.monotonic()
    flood(server, count)
    seconds = time.monotonic() - begin
    after = prometheus.scrape(server)
    result = honest.finish()

    def grew(name: str, **labels: str) -> int:
        return prometheus.total(after, name, **labels) - prometheus.total(before, name, **labels)

    answers = grew("stun_errors_total", code="401")
    limited = grew("turn_rate_limited_total", what="unauthenticated_answer")
    check_equal(answers + limited, count, "requests that were answered or not")
    check(answers <= RATE * (seconds + 3), f"{answers} answers in {seconds:.1f} s")
    overall = answers * (len(answer) + IP_AND_UDP) / (count * (len(smallest) + IP_AND_UDP))
    check(overall < 0.5, f"the flood of {count} got {answers} answers, {overall:.2f} times its bytes")
    check_equal(grew("turn_receive_overflows_total"), 0, "datagrams that the kernel dropped")
    memory = grew("process_resident_memory_bytes")
    check(memory < 4 << 20, f"the flood left {memory} bytes behind")
    print(f"      {count} requests in {seconds:.1f} s; one answer is {amplification:.2f} times its "
          f"request, all of them {overall:.3f} times; memory {memory >> 10:+} KiB; {calls} calls lost "
          f"none of {packets_sent(result)} packets", flush=True)
    server.stop()


def answer_to(server: Server, request: bytes) -> bytes:
    with TurnClient(("127.0.0.1", server.port)) as client:
        client.socket.send(request)
        return client.receive_raw(10) or b""


def flood(server: Server, count: int) -> None:
    with TurnClient(("127.0.0.1", server.port)) as honest, \
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.bind(("127.0.0.2", 0))
        raw.connect(("127.0.0.1", 0))
        for sent in range(count):
            port = 1024 + sent % 60_000
            message = struct.pack("!HHI", 0x0003, 0, stun.MAGIC_COOKIE) + os.urandom(12)
            raw.send(struct.pack("!HHHH", port, server.port, 8 + len(message), 0) + message)
            if sent % BURST == BURST - 1:
                honest.binding()
