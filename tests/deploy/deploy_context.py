"""What the image is built from holds every folder that the build names: seen in a moment, where
building the image takes minutes."""

from __future__ import annotations

import re

from deploy_alerts import ROOT
from harness import Context, check, check_equal

# What no program in the image is made of; the Dockerfile makes an empty folder of tests.
LEFT_OUT = {"tests", "deploy", "build"}


def run(ctx: Context) -> None:
    del ctx
    lines = (ROOT / ".dockerignore").read_text().split()
    check_equal(lines[0], "*", "the first line of .dockerignore, which leaves everything out")
    sent = {line[1:] for line in lines[1:] if line.startswith("!")}
    text = (ROOT / "CMakeLists.txt").read_text()
    named = set(re.findall(r"(?:(?<=SOURCE_DIR}/)|(?<![\w./-]))([a-z]+)(?=/)", text))
    folders = {name for name in named if (ROOT / name).is_dir()} - LEFT_OUT
    check({"server", "common"} <= folders, f"folders in CMakeLists.txt: {folders}")
    check(folders <= sent, f"not in .dockerignore: {sorted(folders - sent)}")
    for name in sent:
        check((ROOT / name).exists(), f".dockerignore names {name}, which is not there")
