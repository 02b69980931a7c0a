"""A local server that behaves like GitHub's pulls API, as its documentation says."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

__all__ = ["TOKEN", "GitHubStandIn", "pull_of"]

TOKEN = "ghs_planted"


class GitHubStandIn(ThreadingHTTPServer):
    """Keeps pull requests; answers as GitHub documents it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pulls: list[dict[str, object]] = []
        self.race: list[dict[str, object]] = []
        """Pull requests that somebody else opens just before ours."""
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: GitHubStandIn

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        self.server.requests.append(format % args)

    def do_GET(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if self._allowed():
            self._answer(200, [pull for pull in self.server.pulls if _matches(pull, query)])

    def do_POST(self) -> None:
        wanted = self._body()
        if not self._allowed():
            return
        self.server.pulls += self.server.race
        self.server.race = []
        if wanted["head"] == wanted["base"]:
            reason = {"message": "Validation Failed", "errors": [{"message": "No commits between"}]}
            self._answer(422, reason)
        elif any(pull["head"] == wanted["head"] for pull in self.server.pulls):
            self._answer(422, {"message": "Validation Failed", "errors": [{"code": "custom"}]})
        else:
            pull = pull_of(len(self.server.pulls) + 1, wanted)
            self.server.pulls.append(pull)
            self._answer(201, pull)

    def do_PATCH(self) -> None:
        number = int(self.path.rpartition("/")[2])
        wanted = self._body()
        if self._allowed():
            [pull] = [pull for pull in self.server.pulls if pull["number"] == number]
            pull.update(wanted)
            self._answer(200, pull)

    def _body(self) -> dict[str, str]:
        body: dict[str, str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _allowed(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            return True
        self._answer(401, {"message": "Bad credentials"})
        return False

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _matches(pull: dict[str, object], query: dict[str, str]) -> bool:
    own = ("open", f"school:{pull['head']}", pull["base"])
    return (query["state"], query["head"], query["base"]) == own


def pull_of(number: int, wanted: dict[str, str]) -> dict[str, object]:
    return {**wanted, "number": number, "html_url": f"https://github.example/pull/{number}"}
