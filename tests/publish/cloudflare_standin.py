"""A local server that behaves like Cloudflare's purge interface, as far as its documents tell.

It checks path, token, body and the limit of URLs, records every request, and plays `next_answers`
before its own. The codes 10000, 7003, 6003/6111 and the envelope are Cloudflare's; that of a list
which is too long is not documented, and invented here.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["CloudflareStandin", "Played", "Recorded", "cloudflare_standin", "failure"]

ZONE = "023e105f4ecef8ad9ca31a8372d0c353"
TOKEN = "v1.0-a-token-that-nobody-has"
MAX_ENTRIES = 100


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that arrived; `authorization` as it was sent."""

    path: str
    authorization: str
    body: Any


@dataclass(frozen=True, slots=True)
class Played:
    """An answer that is given in place of the real one, after `delay_s`."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


@dataclass(slots=True)
class CloudflareStandin:
    """The running server: where it is, what it saw, what it will say."""

    endpoint: str = ""
    zone: str = ZONE
    token: str = TOKEN
    token_status: str = "active"
    requests: list[Recorded] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the purges that were done, in order."""
    next_answers: deque[Played] = field(default_factory=deque)

    def answer(self, request: Recorded) -> Played:
        """Record a request and decide."""
        self.requests.append(request)
        if self.next_answers:
            return self.next_answers.popleft()
        refused = self._refused(request)
        if refused is None:
            self.accepted.append(request.body)
            return Played(200, _envelope(success=True, result={"id": self.zone}))
        return refused

    def _refused(self, request: Recorded) -> Played | None:
        if not request.authorization.startswith("Bearer "):
            chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
            return failure(400, 6003, "Invalid request headers", error_chain=chain)
        if request.authorization != f"Bearer {self.token}":
            return failure(403, 10000, "Authentication error")
        if request.path != f"/client/v4/zones/{self.zone}/purge_cache":
            return failure(404, 7003, "Could not route to the path, perhaps your object identifier")
        kinds = [kind for kind in ("files", "prefixes") if isinstance(request.body.get(kind), list)]
        if len(kinds) != 1 or not request.body[kinds[0]] or len(request.body) != 1:
            return failure(400, 1012, "Request must contain one of purge_everything or files")
        if len(request.body[kinds[0]]) > MAX_ENTRIES:
            return failure(400, 1, f"{kinds[0]} may hold {MAX_ENTRIES} entries at most")
        return None


def failure(status: int, code: int, message: str, **more: object) -> Played:
    """Return a refusal in Cloudflare's envelope."""
    return Played(
        status, _envelope(success=False, errors=[{"code": code, "message": message} | more])
    )


def _envelope(
    *, success: bool, result: object = None, errors: list[dict[str, Any]] | None = None
) -> bytes:
    envelope = {"success": success, "errors": errors or [], "messages": [], "result": result}
    return json.dumps(envelope).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin: CloudflareStandin

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sent = Recorded(self.path, self.headers.get("Authorization", ""), body)
        played = self.standin.answer(sent)
        time.sleep(played.delay_s)
        try:
            self._send(played)
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        standin = self.standin
        known = self.headers.get("Authorization", "") == f"Bearer {standin.token}"
        if self.path != "/client/v4/user/tokens/verify":
            self._send(failure(404, 7003, "Could not route to the path"))
        elif known:
            result = {"id": "ed17574386854bf78a67040be0a770b0", "status": standin.token_status}
            self._send(Played(200, _envelope(success=True, result=result)))
        else:
            self._send(failure(401, 1000, "Invalid API Token"))

    def _send(self, played: Played) -> None:
        self.send_response_only(played.status)
        for name, value in played.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(played.body)))
        self.end_headers()
        self.wfile.write(played.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name upstairs)
        """Stay silent."""


@contextmanager
def cloudflare_standin() -> Iterator[CloudflareStandin]:
    """Run the server on a free loopback port."""
    standin = CloudflareStandin()
    handler = type("Handler", (_Handler,), {"standin": standin})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        standin.endpoint = f"http://127.0.0.1:{server.server_port}/client/v4"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join()
