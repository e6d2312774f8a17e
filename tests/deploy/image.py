"""Builds the Dockerfile with buildah, on a base that debootstrap makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy_alerts import ROOT
from harness import Context, Failure, Skipped

BASE = "docker.io/library/debian:bookworm-slim"
NAME = "localhost/turnpike:test"
TOOLS = ("buildah", "debootstrap", "unshare", "nsenter", "chroot")
# Kept between runs: the base, and what the compiler made.
CACHE = ROOT / "build/deploy"
BUILD_SECONDS = 3000


class Image:
    """The built image: its configuration, and its root as a directory on this host."""

    def __init__(self, ctx: Context):
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            raise Skipped(f"not installed: {' '.join(missing)} (tools/install deploy)")
        if os.geteuid() != 0:
            raise Skipped("needs root, to make a base and to run as the image's user")
        self._log = ctx.directory / "build.log"
        self._storage = ["--root", str(ctx.directory / "storage"), "--runroot",
                         str(ctx.directory / "runroot"), "--storage-driver", "vfs"]
        self._import_base()
        (CACHE / "ccache").mkdir(parents=True, exist_ok=True)
        self._buildah("bud", "--isolation", "chroot", "--network", "host", "--pull-never",
                      "--format", "docker", "--build-arg", "VERSION=test",
                      "--volume", f"{CACHE / 'ccache'}:/root/.cache/ccache", "--tag", NAME,
                      str(ROOT))
        inspected = json.loads(self._buildah("inspect", "--type", "image", NAME))
        self.config: dict[str, Any] = inspected["Docker"]["config"]
        container = self._buildah("from", "--pull-never", NAME).strip()
        self.root = Path(self._buildah("mount", container).strip())
        ctx.on_cleanup(lambda: self._buildah("rm", container))

    def size(self) -> int:
        """The bytes of all files in the image."""
        return sum(path.lstat().st_size for path in self.root.rglob("*") if path.is_file())

    def environment(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config["Env"])

    def _import_base(self) -> None:
        archive = CACHE / "bookworm.tar"
        if not archive.exists():
            self._make_base(archive)
        container = self._buildah("from", "scratch").strip()
        self._buildah("add", container, str(archive), "/")
        self._buildah("commit", "--quiet", container, BASE)
        self._buildah("rm", container)

    def _make_base(self, archive: Path) -> None:
        """Makes what the name BASE stands for, with this machine's own sources of packages."""
        base = CACHE / "base"
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(parents=True)
        self._run(["debootstrap", "--variant=minbase", "bookworm", str(base), mirror()])
        (base / "etc/apt/sources.list").unlink(missing_ok=True)
        for path in apt_files():
            copy = base / path.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        shutil.copy("/etc/resolv.conf", base / "etc/resolv.conf")
        self._run(["tar", "-C", str(base), "-cf", f"{archive}.new", "."])
        Path(f"{archive}.new").rename(archive)
        shutil.rmtree(base)

    def _buildah(self, *arguments: str) -> str:
        return self._run(["buildah", *self._storage, *arguments])

    def _run(self, argv: Sequence[str]) -> str:
        with open(self._log, "ab") as log:
            log.write(f"$ {' '.join(argv)}\n".encode())
            log.flush()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=log, start_new_session=True)
            try:
                out, _ = process.communicate(timeout=BUILD_SECONDS)
            except subprocess.TimeoutExpired:
                # Not buildah alone: what it runs in the container would compile on.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise Failure(f"`{argv[0]} {argv[-1]}` took over {BUILD_SECONDS} s; what it has "
                              f"compiled is kept, the next run goes on from there") from None
            log.write(out)
        if process.returncode != 0:
            last = self._log.read_text("utf-8", "replace").splitlines()[-15:]
            raise Failure(f"`{' '.join(argv)}` exits with {process.returncode}:\n" +
                          "\n".join(last))
        return out.decode()


def apt_files() -> list[Path]:
    """Where this machine gets packages from. Its hooks, which run other programs, are left out."""
    apt = Path("/etc/apt")
    found = [apt / "sources.list", *apt.glob("sources.list.d/*.list"),
             *apt.glob("sources.list.d/*.sources"), *apt.glob("auth.conf.d/*"),
             *(path for path in apt.glob("apt.conf.d/*") if "-Invoke" not in path.read_text())]
    return [path for path in found if path.is_file()]


def mirror() -> str:
    """This machine's mirror of Debian."""
    for path in apt_files():
        for line in path.read_text().splitlines():
            named = re.match(r"(?:URIs:|deb\s+(?:\[[^]]*\]\s+)?)\s*(\S+/debian/?)(?:\s|$)", line)
            if named:
                return named[1]
    raise Skipped("this machine has no source of Debian packages")
