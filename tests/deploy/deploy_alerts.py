"""The alert rules: each fires in a unit test of promtool and has a section in the runbook, whose
table of faults names tests that exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from harness import Context, Skipped, check_equal

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "deploy/prometheus/turnpike.rules.yml"
UNIT_TESTS = ROOT / "tests/deploy/alerts.test.yml"
RUNBOOK = ROOT / "deploy/RUNBOOK.md"


def run(ctx: Context) -> None:
    if shutil.which("promtool") is None:
        raise Skipped("promtool (Debian package prometheus) is not installed")
    ctx.run(["promtool", "check", "rules", *sorted(RULES.parent.glob("*.rules.yml"))])
    ctx.run(["promtool", "test", "rules", UNIT_TESTS])

    alerts = re.findall(r"^ +- alert: (\w+)$", RULES.read_text(), re.MULTILINE)
    fired = re.findall(r"^ +- alertname: (\w+)$", UNIT_TESTS.read_text(), re.MULTILINE)
    check_equal(sorted(fired), sorted(alerts), "alerts that fire in a unit test")
    sections = {heading.lower() for heading in
                re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)}
    named = set(re.findall(r"runbook: deploy/RUNBOOK\.md#(\S+)", RULES.read_text()))
    check_equal(named, sections, "sections of the runbook that alerts name")
    tests = re.findall(r"`(e2e_\w+)\.(\w+)` \|$", RUNBOOK.read_text(), re.MULTILINE)
    absent = [f"{file}.{name}" for file, name in tests
              if f"def {name}(" not in (ROOT / f"tests/e2e/{file}.py").read_text()]
    check_equal((absent, len(tests) > 10), ([], True), "the table's tests that are not there")
