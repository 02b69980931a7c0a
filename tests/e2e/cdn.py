"""A web server in front of a folder store, as a reader's browser would meet it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["serving"]


class _Handler(SimpleHTTPRequestHandler):
    folder = Path()
    extensions_map = {".json": "application/json; charset=utf-8"}  # noqa: RUF012 - as upstairs

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, directory=str(self.folder))  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name upstairs)
        """Stay silent."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on a free loopback port; give its URL."""
    handler = type("Handler", (_Handler,), {"folder": folder})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
