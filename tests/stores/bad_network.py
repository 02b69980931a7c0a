"""A proxy in front of a real S3 server that spoils chosen exchanges, as networks and stores do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

__all__ = ["Answer", "BadNetwork", "Request", "bad_network", "s3_error"]


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived: `number` counts the requests from 1."""

    number: int
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in the server's place; 0 is none at all. `reached`: the server did its work."""

    status: int = 0
    body: bytes = b""
    reached: bool = False

    @property
    def lost(self) -> bool:
        return self.status == 0


LOST_AFTER_THE_EFFECT = Answer(reached=True)


def s3_error(status: int, code: str, message: str = "as the test wanted") -> Answer:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode())


@dataclass(slots=True)
class BadNetwork:
    """The proxy's address, what it saw, and the rule by which it spoils."""

    server: str
    endpoint_url: str = ""
    spoil: Callable[[Request], Answer | None] = lambda _: None
    seen: list[Request] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    clients: set[int] = field(default_factory=set)
    """The ports from which connections came."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, method: str, path: str, headers: dict[str, str]) -> Request:
        with self.lock:
            request = Request(len(self.seen) + 1, method, path)
            self.seen.append(request)
            self.headers.append(headers)
            return request


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    network: BadNetwork

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.network.clients.add(self.client_address[1])
        request = self.network.note(self.command, self.path, dict(self.headers))
        spoilt = self.network.spoil(request)
        if spoilt is None or spoilt.reached:
            status, headers, content = self._ask_server(body)
        if spoilt is not None and spoilt.lost:
            self.close_connection = True
            return
        if spoilt is not None:
            status, headers, content = spoilt.status, {}, spoilt.body
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 (the parent's names)

    def _ask_server(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        with closing(HTTPConnection(urlsplit(self.network.server).netloc, timeout=30)) as upstream:
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
        kept = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in ("transfer-encoding", "connection")
        }
        return answer.status, kept, content

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name upstairs)
        """Stay silent."""


@contextmanager
def bad_network(server: str) -> Iterator[BadNetwork]:
    """Run a proxy in front of the server at that URL."""
    network = BadNetwork(server)
    handler = type("Handler", (_Handler,), {"network": network})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        network.endpoint_url = f"http://127.0.0.1:{proxy.server_port}"
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield network
        finally:
            proxy.shutdown()
            thread.join()
