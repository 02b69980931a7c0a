"""GitHub as the workflows meet it: its REST API over HTTP, and what it remembers.

Owns pull requests, issues, comments, artifacts, and which workflow a dispatch asks for. A token may
do what the permissions of its run allow and nothing more, as on GitHub; a call that this server
does not know is a 404 that `unknown` keeps. When anything runs is `tests.workflows.hub`'s business.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["REPOSITORY", "GitHubAPI", "Record", "github_api"]

REPOSITORY = "school/content"
Record = dict[str, Any]
Answer = tuple[int, Any]

_BOT = {"login": "github-actions[bot]", "type": "Bot"}


@dataclass
class GitHubAPI:
    """What GitHub knows of one repository; `may` has each token's permissions."""

    artifacts_folder: Path
    endpoint: str = ""
    may: dict[str, Mapping[str, str]] = field(default_factory=dict)
    pulls: list[Record] = field(default_factory=list)
    issues: list[Record] = field(default_factory=list)
    comments: list[Record] = field(default_factory=list)
    runs: list[Record] = field(default_factory=list)
    dispatches: list[tuple[str, Record]] = field(default_factory=list)
    """Workflow files and the bodies of requests to start them, in order."""
    notices: list[Record] = field(default_factory=list)
    """What was posted to the webhook, which stands for Slack or Teams."""
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def webhook(self) -> str:
        """A URL that is a secret, as Slack's are."""
        return f"{self.endpoint}/hook/T0-planted-webhook"

    def answer(self, method: str, target: str, token: str, body: Any) -> Answer:
        """Answer a request as GitHub documents it."""
        parts = urlsplit(target)
        if method == "POST" and f"{self.endpoint}{parts.path}" == self.webhook:
            self.notices.append(body)
            return 200, {"ok": True}
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        below = parts.path.removeprefix(f"/repos/{REPOSITORY}/")
        for known, pattern, needs, play in _ROUTES:
            found = re.fullmatch(pattern, below)
            if known == method and found:
                if token not in self.may:
                    return 401, {"message": "Bad credentials"}
                if not self._allows(token, needs, writing=method != "GET"):
                    self.refused.append(f"{method} {parts.path}")
                    return 403, {"message": "Resource not accessible by integration"}
                return play(self, [*found.groups()], query | (body or {}))
        self.unknown.append(f"{method} {target}")
        return 404, {"message": "Not Found"}

    def open_pull(self, head: Record, title: str, base: str = "main") -> Record:
        """Open a pull request; `head` has ref, sha, repo and label as GitHub shows them."""
        number = 1 + len(self.pulls) + len(self.issues)
        pull: Record = {
            "number": number,
            "state": "open",
            "title": title,
            "body": "",
            "head": head,
            "base": {"ref": base, "repo": {"full_name": REPOSITORY, "fork": False}},
            "user": {"login": "somebody", "type": "User"},
            "html_url": f"https://github.example/{REPOSITORY}/pull/{number}",
        }
        self.pulls.append(pull)
        return pull

    def comment(self, number: int, body: str, user: Record) -> Record:
        """Write a comment."""
        comment = {
            "id": 9_000 + len(self.comments),
            "issue": number,
            "body": body,
            "user": user,
            "html_url": f"https://github.example/{REPOSITORY}/issues/{number}#comment",
        }
        self.comments.append(comment)
        return comment

    def artifacts(self, run: int) -> list[Record]:
        """Return what a run uploaded."""
        return [
            {
                "id": int(f"{run}{number:02}"),
                "name": file.stem,
                "expired": False,
                "size_in_bytes": file.stat().st_size,
                "archive_download_url": (
                    f"{self.endpoint}/repos/{REPOSITORY}/actions/artifacts/{run}{number:02}/zip"
                ),
            }
            for number, file in enumerate(sorted((self.artifacts_folder / str(run)).glob("*.zip")))
        ]

    def _allows(self, token: str, needs: str, *, writing: bool) -> bool:
        given = [self.may[token].get(each, "none") for each in needs.split("|")]
        return any(level == "write" or (level == "read" and not writing) for level in given)


def _dispatch(api: GitHubAPI, found: list[str], asked: Record) -> Answer:
    api.dispatches.append((found[0], asked))
    return 204, None


def _workflow_runs(api: GitHubAPI, found: list[str], asked: Record) -> Answer:
    wanted = {key: asked[key] for key in ("head_sha", "head_branch", "event") if key in asked}
    if "branch" in asked:
        wanted["head_branch"] = asked["branch"]
    runs = [run for run in api.runs if run["path"] == f".github/workflows/{found[0]}"]
    runs = [run for run in runs if wanted.items() <= run.items()]
    newest_first = runs[::-1][: int(asked.get("per_page", 30))]
    return 200, {"total_count": len(runs), "workflow_runs": newest_first}


def _run(api: GitHubAPI, found: list[str], _: Record) -> Answer:
    runs = [run for run in api.runs if run["id"] == int(found[0])]
    return (200, runs[0]) if runs else (404, {"message": "Not Found"})


def _artifacts(api: GitHubAPI, found: list[str], asked: Record) -> Answer:
    name = asked.get("name")
    listed = [one for one in api.artifacts(int(found[0])) if name in (None, one["name"])]
    return 200, {"total_count": len(listed), "artifacts": listed}


def _artifact(api: GitHubAPI, found: list[str], _: Record) -> Answer:
    run, number = int(found[0][:-2]), int(found[0][-2:])
    return 302, api.artifacts(run)[number]["name"].join((f"/blobs/{run}/", ".zip"))


def _list_pulls(api: GitHubAPI, _: list[str], asked: Record) -> Answer:
    return 200, [
        pull
        for pull in api.pulls
        if asked.get("state", "open") in ("all", pull["state"])
        and asked.get("head", pull["head"]["label"]) == pull["head"]["label"]
        and asked.get("base", pull["base"]["ref"]) == pull["base"]["ref"]
        and asked.get("page", "1") == "1"
    ]


def _open_pull(api: GitHubAPI, _: list[str], asked: Record) -> Answer:
    head, base = asked["head"], asked["base"]
    label = f"{REPOSITORY.partition('/')[0]}:{head}"
    if _list_pulls(api, [], {"head": label, "base": base})[1]:
        return 422, {"message": "Validation Failed", "errors": [{"code": "custom"}]}
    repo = {"full_name": REPOSITORY, "fork": False}
    pull = api.open_pull({"ref": head, "label": label, "repo": repo}, asked["title"], base)
    return 201, pull | {"body": asked.get("body", "")}


def _edit(entries: str) -> Callable[[GitHubAPI, list[str], Record], Answer]:
    def edit(api: GitHubAPI, found: list[str], asked: Record) -> Answer:
        key = "id" if entries == "comments" else "number"
        for entry in getattr(api, entries):
            if entry[key] == int(found[0]):
                entry.update(asked)
                return 200, entry
        return 404, {"message": "Not Found"}

    return edit


def _list_comments(api: GitHubAPI, found: list[str], asked: Record) -> Answer:
    of_it = [one for one in api.comments if one["issue"] == int(found[0])]
    return 200, of_it if asked.get("page", "1") == "1" else []


def _comment(api: GitHubAPI, found: list[str], asked: Record) -> Answer:
    if len(asked["body"]) > 65_536:
        return 422, {"message": "Body is too long (maximum is 65536 characters)"}
    return 201, api.comment(int(found[0]), asked["body"], _BOT)


def _list_issues(api: GitHubAPI, _: list[str], asked: Record) -> Answer:
    labels = {label for label in asked.get("labels", "").split(",") if label}
    return 200, [
        issue
        for issue in api.issues
        if asked.get("state", "open") in ("all", issue["state"])
        and labels <= {label["name"] for label in issue["labels"]}
        and asked.get("page", "1") == "1"
    ]


def _open_issue(api: GitHubAPI, _: list[str], asked: Record) -> Answer:
    number = 1 + len(api.pulls) + len(api.issues)
    labels = [{"name": name} for name in asked.pop("labels", [])]
    url = f"https://github.example/{REPOSITORY}/issues/{number}"
    issue = {**asked, "number": number, "state": "open", "labels": labels, "user": _BOT}
    api.issues.append(issue | {"html_url": url})
    return 201, api.issues[-1]


_ROUTES: tuple[tuple[str, str, str, Callable[[GitHubAPI, list[str], Record], Answer]], ...] = (
    ("POST", r"actions/workflows/([^/]+)/dispatches", "actions", _dispatch),
    ("GET", r"actions/workflows/([^/]+)/runs", "actions", _workflow_runs),
    ("GET", r"actions/runs/(\d+)", "actions", _run),
    ("GET", r"actions/runs/(\d+)/artifacts", "actions", _artifacts),
    ("GET", r"actions/artifacts/(\d+)/zip", "actions", _artifact),
    ("GET", r"pulls", "pull-requests", _list_pulls),
    ("POST", r"pulls", "pull-requests", _open_pull),
    ("PATCH", r"pulls/(\d+)", "pull-requests", _edit("pulls")),
    ("GET", r"issues", "issues", _list_issues),
    ("POST", r"issues", "issues", _open_issue),
    ("PATCH", r"issues/(\d+)", "issues", _edit("issues")),
    ("GET", r"issues/(\d+)/comments", "issues|pull-requests", _list_comments),
    ("POST", r"issues/(\d+)/comments", "issues|pull-requests", _comment),
    ("PATCH", r"issues/comments/(\d+)", "issues|pull-requests", _edit("comments")),
)


class _Handler(BaseHTTPRequestHandler):
    api: GitHubAPI

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.path.startswith("/blobs/"):  # another server's, which must not get the token
            self._send(
                400 if token else 200, (self.api.artifacts_folder / self.path[7:]).read_bytes()
            )
            return
        status, answer = self.api.answer(self.command, self.path, token, body)
        if status == 302:
            self._send(
                status, b"", f"{self.api.endpoint.replace('127.0.0.1', 'localhost')}{answer}"
            )
        else:
            self._send(status, b"" if status == 204 else json.dumps(answer).encode())

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

    def _send(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Stay silent."""


@contextmanager
def github_api(artifacts_folder: Path) -> Iterator[GitHubAPI]:
    """Run the server on a free loopback port."""
    api = GitHubAPI(artifacts_folder)
    handler = type("Handler", (_Handler,), {"api": api})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        api.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
