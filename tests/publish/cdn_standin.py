"""A CDN on a loopback port: serves a store, and caches whole URLs as Cloudflare's edge does.

`caches` says whether JSON is cached at all (a Cache Rule); `purge` forgets a URL; `frozen` makes an
edge that forgets nothing. Only `headers` that a reader would see are sent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from exporter.stores.base import ObjectStore, StoredObject

__all__ = ["CdnStandin", "cdn_standin"]


@dataclass(slots=True)
class CdnStandin:
    """The running server: where it is, what it serves, what it holds, what it was asked for."""

    origin: ObjectStore
    base_url: str = ""
    caches: bool = True
    frozen: bool = False
    clock: str = ""
    """The Date header; empty for the true one."""
    held: dict[tuple[str, str], StoredObject | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, target: str, origin: str) -> tuple[StoredObject | None, str]:
        """Return what an edge gives for a URL and an Origin, and its cache status."""
        self.asked.append(target)
        cached = (target, origin)
        if cached in self.held:
            return self.held[cached], "HIT"
        found = self.origin.get(unquote(urlsplit(target).path).removeprefix("/"))
        if not self.caches:
            return found, "DYNAMIC"
        self.held[cached] = found
        return found, "MISS"

    def purge(self, target: str, origin: str = "") -> None:
        """Forget a URL, path and query."""
        if not self.frozen:
            self.held.pop((target, origin), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin: CdnStandin

    def do_GET(self) -> None:
        found, status = self.standin.answer(self.path, self.headers.get("Origin", ""))
        self.send_response_only(200 if found else 404)
        body = found.body if found else b"not here"
        if found:
            self.send_header("Content-Type", found.info.attributes.content_type)
            self.send_header("Cache-Control", found.info.attributes.cache_control)
        self.send_header("Date", self.standin.clock or self.date_time_string())
        self.send_header("CF-Cache-Status", status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name upstairs)
        """Stay silent."""


@contextmanager
def cdn_standin(origin: ObjectStore) -> Iterator[CdnStandin]:
    """Run the server on a free port."""
    standin = CdnStandin(origin)
    handler = type("Handler", (_Handler,), {"standin": standin})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        standin.base_url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join()
