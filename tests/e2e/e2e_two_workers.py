"""The same traffic over two workers, each on a CPU of its own, without UDP GSO and GRO: a client's
5-tuple stays with one, the counts stay exact."""

from __future__ import annotations

import e2e_relay_exact
from harness import Context


def run(ctx: Context) -> None:
    e2e_relay_exact.run(ctx, workers=2, udp_path="batch")
