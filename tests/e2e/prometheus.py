"""Reads Prometheus's text format 0.0.4, strictly: what it does not understand is a failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness import Context, Failure, check_equal
from server import Server

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass
class Sample:
    name: str
    labels: dict[str, str]
    value: int | float


def parse(text: str) -> list[Sample]:
    """Returns the samples of a scrape."""
    if text and not text.endswith("\n"):
        raise Failure("the exposition does not end with a newline")
    return [_sample(line) for line in text.split("\n") if line and not line.startswith("#")]


def _sample(line: str) -> Sample:
    name = _NAME.match(line)
    if not name:
        raise Failure(f"not a sample: {line!r}")
    at = name.end()
    labels: dict[str, str] = {}
    if line[at:at + 1] == "{":
        at += 1
        while line[at:at + 1] != "}":
            pair = _LABEL.match(line, at)
            if not pair:
                raise Failure(f"a broken label in {line!r}")
            value = re.sub(r'\\["\\n]', lambda m: _ESCAPES[m[0]], pair[2])
            if pair[1] in labels:
                raise Failure(f"a label twice in {line!r}")
            labels[pair[1]] = value
            at = pair.end()
            if line[at:at + 1] == ",":
                at += 1
        at += 1
    number = line[at:].strip()
    try:
        return Sample(name[0], labels, int(number) if number.isdigit() else float(number))
    except ValueError:
        raise Failure(f"not a number in {line!r}") from None


def scrape(server: Server) -> list[Sample]:
    """Fetches and reads /metrics."""
    status, body = server.get("/metrics")
    check_equal(status, 200, "/metrics: status")
    return parse(body)


def total(samples: list[Sample], name: str, **labels: str) -> int:
    """Sums the samples of that name whose labels include these."""
    found = [s for s in samples if s.name == name and _includes(s.labels, labels)]
    if not found and not any(s.name == name for s in samples):
        raise Failure(f"there is no metric {name}")
    values = [s.value for s in found]
    if any(value != int(value) for value in values):
        raise Failure(f"{name} is not a whole number: {values}")
    return sum(int(value) for value in values)


def value(samples: list[Sample], name: str, **labels: str) -> int | float:
    """Returns the one sample of that name whose labels include these."""
    found = [s for s in samples if s.name == name and _includes(s.labels, labels)]
    check_equal(len(found), 1, f"samples of {name}{labels}")
    return found[0].value


def billable(samples: list[Sample]) -> dict[tuple[str, str, str], int]:
    """turn_billable_bytes_total by account, region and direction."""
    return {(s.labels["account"], s.labels["region"], s.labels["direction"]): int(s.value)
            for s in samples if s.name == "turn_billable_bytes_total"}


def billed(samples: list[Sample], **labels: str) -> int:
    """Sums turn_billable_bytes_total, which is absent until an account has used something."""
    return sum(int(s.value) for s in samples
               if s.name == "turn_billable_bytes_total" and _includes(s.labels, labels))


def check_with_promtool(ctx: Context, server: Server, name: str = "metrics") -> None:
    """Fails on anything that `promtool check metrics` has to say."""
    status, body = server.get("/metrics")
    check_equal(status, 200, "/metrics: status")
    path = ctx.directory / f"{name}.txt"
    path.write_text(body)
    done = ctx.run(["sh", "-c", 'promtool check metrics < "$0"', path])
    check_equal((done.stdout + done.stderr).decode().strip(), "", "promtool check metrics says")


def _includes(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())
