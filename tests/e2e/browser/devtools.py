"""Drives Chromium through its debugging pipe: to open a page, look into it and photograph it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import time
from pathlib import Path
from typing import Any

from harness import Context, Failure, check

from browser import launch

DESKTOP = (1100, 900)
PHONE = (375, 812)


class Page:
    """One tab of a Chromium of its own, which ends with the test."""

    def __init__(self, ctx: Context, address: str, authority: launch.Authority):
        # Chromium reads commands from descriptor 3 and writes answers to 4, each ended by a NUL.
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        ctx.on_cleanup(self._close)
        self._next = 0
        self._rest = b""
        self._session: str | None = None
        self.problems: list[str] = []
        # Its ends must be none of those two descriptors before they are moved there.
        ends = (fcntl.fcntl(to_browser, fcntl.F_DUPFD_CLOEXEC, 10),
                fcntl.fcntl(from_browser, fcntl.F_DUPFD_CLOEXEC, 10))
        launch.start(ctx, "chromium", "about:blank", address, authority, pipe=ends)
        for fd in (to_browser, from_browser, *ends):
            os.close(fd)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target,
                                   flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        self.resize(*DESKTOP)

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'", 20)

    def evaluate(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True,
                            awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, script: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.evaluate(script):
            if time.monotonic() > deadline:
                raise Failure(f"waited {seconds:g} s in vain for `{script}`")
            self._read(0.05)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=width < 600)
        self._call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path: Path) -> None:
        """The whole page, as PNG."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        path.write_bytes(base64.b64decode(shot["data"]))

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(self.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def look(self, ctx: Context, name: str) -> None:
        """Nothing is wider than the window. For people, pictures stay in TURNPIKE_E2E_PICTURES."""
        pictures = Path(os.environ.get("TURNPIKE_E2E_PICTURES", ctx.directory))
        for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
            for dark in (True, False):
                self.resize(*size, dark=dark)
                check(not self.overflows(), f"{name} is wider than a {kind}")
                self.screenshot(pictures / f"{name}-{kind}{'-dark' if dark else ''}.png")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._next += 1
        message: dict[str, Any] = {"id": self._next, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for answer in self._read(0.5):
                if answer.get("id") == self._next:
                    if "error" in answer:
                        raise Failure(f"{method}: {answer['error']}")
                    return answer["result"]
        raise Failure(f"Chromium does not answer {method}")

    def _read(self, seconds: float) -> list[dict[str, Any]]:
        """What comes within that time; what the page complains of is kept."""
        if not select.select([self._in], [], [], seconds)[0]:
            return []
        data = os.read(self._in, 1 << 20)
        if not data:
            raise Failure("Chromium has ended")
        *messages, self._rest = (self._rest + data).split(b"\0")
        parsed = [json.loads(message) for message in messages]
        for message in parsed:
            if message.get("method") == "Runtime.exceptionThrown":
                self.problems.append(str(message["params"]["exceptionDetails"]))
            if message.get("method") == "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error":
                    self.problems.append(f"{entry['text']} {entry.get('url', '')}")
        return parsed

    def _close(self) -> None:
        os.close(self._out)
        os.close(self._in)
