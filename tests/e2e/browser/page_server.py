"""Serves the page to a browser on loopback, hands it its plan and takes its results."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILES = {"/": HERE / "page.html", "/page.js": HERE / "page.js"}

# The server's own pages, and what it lets browsers do with them (server/api/pages.cc).
PAGES = HERE.parents[2] / "server/api/pages"
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
          "connect-src 'self'; base-uri 'none'; form-action 'self'")
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css",
         ".json": "application/json"}


def own_pages() -> dict[str, Path]:
    """The server's pages by their paths: NAME.html at /NAME, all else under its own name."""
    return {f"/{path.name.removesuffix('.html')}": path for path in PAGES.iterdir()}


class PageServer:
    """A page from http://127.0.0.1 is a secure context, so it may use fake cameras."""

    def __init__(self, cases: list[dict[str, Any]], documents: dict[str, Any] | None = None):
        """`documents` are served beside the pages, as JSON, by their paths."""
        self.results: dict[str, dict[str, Any]] = {}
        results = self.results
        served = {"/plan": {"cases": cases}, **(documents or {})}
        files = {**own_pages(), **FILES}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path in served:
                    self.answer(json.dumps(served[self.path]).encode(), "application/json")
                elif (path := self.path.partition("?")[0]) in files:
                    self.answer(files[path].read_bytes(), TYPES[files[path].suffix])
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                results[body["name"]] = body
                self.answer(b"{}", "application/json")

            def answer(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Security-Policy", POLICY)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
