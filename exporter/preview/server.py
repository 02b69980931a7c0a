"""The page's server: loopback only, reading only, and nothing that another site could reach.

It answers `GET` and `HEAD` for requests that name it as their host, so that no name that leads to
127.0.0.1 lets another site read content. Routes are data: what comes first in a path, and who
answers. Every answer forbids everything but the page's own scripts, styles and requests.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Thread
from urllib.parse import unquote, urlsplit

from exporter.errors import ExporterError, OutsideError, UsageError

__all__ = ["CONTENT_SECURITY_POLICY", "Answer", "Routes", "json_answer", "page_files", "serving"]

HOST = "127.0.0.1"
USUAL_PORT = 8620
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing of a third party, and no text ever becomes markup or script."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: a body of a type by its usual extension, or a stream of server-sent events."""

    body: bytes
    type: str = "json"
    events: Iterator[bytes] | None = None
    status: HTTPStatus = HTTPStatus.OK
    policy: str = CONTENT_SECURITY_POLICY


Routes = Mapping[str, Callable[[tuple[str, ...]], Answer | None]]
"""Who answers for what a path begins with, given its other parts, decoded; None: not found."""


def json_answer(value: object) -> Answer:
    """Return a value as an answer."""
    import orjson

    return Answer(orjson.dumps(value))


def page_files() -> dict[str, bytes]:
    """Return the files of the page by their paths; `index.html` stands for the root."""
    folder = files("exporter.preview") / "page"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if "." in entry.name}


@contextmanager
def serving(routes: Routes, port: int | None) -> Iterator[str]:
    """Serve the page and these routes in threads of its own, and yield the page's address.

    Without a port it is the usual one, or any other where that is taken.

    Raises:
        UsageError: the port is taken, or may not be used.
    """
    server = _bound(routes, port)
    Thread(target=server.serve_forever, name="preview", daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def _bound(routes: Routes, port: int | None) -> ThreadingHTTPServer:
    handler = partial(_Handler, {**_page_routes(), **routes})
    try:
        return _Server((HOST, USUAL_PORT if port is None else port), handler)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _Server((HOST, 0), handler)
        raise UsageError(
            f"port {port} of {HOST} cannot be used: {error.strerror}",
            hint="name another one with --port, or leave --port out",
        ) from error


def _page_routes() -> Routes:
    pages = page_files()

    def page(parts: tuple[str, ...]) -> Answer | None:
        name = "/".join(parts)
        body = pages.get(name)
        return Answer(body, name.rpartition(".")[2]) if body is not None else None

    return {
        "": lambda parts: None if parts else page(("index.html",)),
        "favicon.svg": lambda parts: None if parts else page(("favicon.svg",)),
        "page": page,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of an error in answering, unless the reader has just left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "exporter"
    sys_version = ""
    timeout = 60

    def __init__(self, routes: Routes, *arguments: object) -> None:
        self._routes = routes
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer a request."""
        try:
            self._send(self._answer())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the reader has left

    def do_HEAD(self) -> None:
        """Answer a request without its body."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
        """Say nothing: every click would be a line."""

    def _answer(self) -> Answer:
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            return _told(HTTPStatus.MISDIRECTED_REQUEST, "this page is for its own address only")
        first, *rest = urlsplit(self.path).path.removeprefix("/").split("/")
        route = self._routes.get(unquote(first))
        try:
            found = route(tuple(map(unquote, rest))) if route else None
        except OutsideError as error:
            return _told(HTTPStatus.BAD_GATEWAY, error.message)
        except ExporterError as error:
            return _told(HTTPStatus.UNPROCESSABLE_ENTITY, error.message)
        return found or _told(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Security-Policy", f"{answer.policy}; frame-ancestors 'none'")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if answer.events is not None:
            self._stream(answer.events)
            return
        self.send_header("Content-Type", _TYPES[answer.type])
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _stream(self, events: Iterable[bytes]) -> None:
        """Send events until the reader leaves."""
        self.close_connection = True
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events:
            self.wfile.write(event)
            self.wfile.flush()


def _told(status: HTTPStatus, message: str) -> Answer:
    return Answer(json_answer({"error": message}).body, status=status)
