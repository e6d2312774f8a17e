"""The systemd unit is sound, hardened, and waits for a drain of the default length."""

from __future__ import annotations

import re
import shutil

from deploy_alerts import ROOT
from harness import Context, Skipped, check

UNIT = ROOT / "deploy/systemd/turnpike.service"
MOST_EXPOSED = 2.5


def run(ctx: Context) -> None:
    if shutil.which("systemd-analyze") is None:
        raise Skipped("systemd-analyze (Debian package systemd) is not installed")
    text = UNIT.read_text()
    # `verify` wants to see the program, which is not installed here.
    copy = ctx.directory / UNIT.name
    copy.write_text(text.replace("/usr/local/bin/turnpiked", str(ctx.turnpiked)))
    said = ctx.run(["systemd-analyze", "verify", "--man=no", copy])
    check(not [line for line in said.stderr.decode().splitlines() if UNIT.name in line],
          f"systemd-analyze verify says: {said.stderr.decode()}")
    rating = ctx.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                      f"--threshold={int(MOST_EXPOSED * 10)}", copy])
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", rating.stdout.decode())
    check(level is not None and float(level[1]) < MOST_EXPOSED, f"exposure level {level}")

    deadline = re.search(r"^drain_deadline: (\d+)m$",
                         (ROOT / "config/turnpike.yaml").read_text(), re.MULTILINE)
    patience = re.search(r"^TimeoutStopSec=(\d+)min$", text, re.MULTILINE)
    check(deadline is not None and patience is not None
          and int(patience[1]) > int(deadline[1]), "TimeoutStopSec is not above drain_deadline")
    check_listed(ctx, text)


def check_listed(ctx: Context, unit: str) -> None:
    """`verify` only warns of a directive that this systemd does not know; the warning is seen."""
    copy = ctx.directory / "typo.service"
    copy.write_text(unit.replace("ProtectClock", "ProtectClok")
                    .replace("/usr/local/bin/turnpiked", str(ctx.turnpiked)))
    said = ctx.run(["systemd-analyze", "verify", "--man=no", copy])
    check("ProtectClok" in said.stderr.decode(), "verify says nothing of an unknown directive")
