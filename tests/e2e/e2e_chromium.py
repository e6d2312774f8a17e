"""Chromium relays over UDP, TCP and TLS; e2e_browsers.py says what must hold."""

from __future__ import annotations

import e2e_browsers
from harness import Context


def run(ctx: Context) -> None:
    e2e_browsers.run(ctx, "chromium")
