"""The same traffic with one datagram a system call."""

from __future__ import annotations

import e2e_relay_exact
from harness import Context


def run(ctx: Context) -> None:
    e2e_relay_exact.run(ctx, udp_path="plain")
