"""One pull request for a branch of snapshots, through GitHub's API (spec 2, step 7).

There is one open pull request for the branch at most: where there is, its text is brought up to
date. Tokens never appear in what is raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from exporter.content.repository import Repository
from exporter.errors import GitError, UsageError

__all__ = ["GitHub", "PullRequest", "body_of", "repository_in_url"]

MAX_BODY = 60_000
"""Characters; GitHub takes 65,536."""

_TIMEOUT_S = 30.0
_URL = re.compile(r"[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\Z")
_TRAILER = re.compile(r"^Exporter-[\w-]+: ")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request."""

    number: int
    url: str
    created: bool
    """Opened just now; else it was there, and its text was brought up to date."""


@dataclass(frozen=True, slots=True, repr=False)
class GitHub:
    """A repository on GitHub, or on a server that speaks its API."""

    api: str
    """As `https://api.github.com`."""
    repository: str
    """As `owner/name`."""
    token: str

    def open_or_update(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """See to it that one open pull request has this branch and text.

        Raises:
            GitError: GitHub cannot be reached, or refuses.
        """
        found = self._find(branch, base)
        if found is None:
            request = {"head": branch, "base": base, "title": title, "body": body}
            status, answer = self._call("POST", "", json=request, accept=(201, 422))
            if status == 201:
                return PullRequest(answer["number"], answer["html_url"], created=True)
            found = self._find(branch, base)
            if found is None:
                raise GitError(
                    f"GitHub opens no pull request of {branch} into {base}: {_reason(answer)}"
                )
        _, answer = self._call("PATCH", f"/{found}", json={"title": title, "body": body})
        return PullRequest(found, answer["html_url"], created=False)

    def _find(self, branch: str, base: str) -> int | None:
        owner = self.repository.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{branch}", "base": base, "per_page": "1"}
        _, found = self._call("GET", "", params=query)
        return int(found[0]["number"]) if found else None

    def _call(
        self,
        method: str,
        below: str,
        *,
        accept: tuple[int, ...] = (200,),
        json: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send a request to the repository's pull requests; its status and answer."""
        url = f"{self.api.rstrip('/')}/repos/{quote(self.repository)}/pulls{below}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        try:
            answer = httpx.request(
                method, url, headers=headers, timeout=_TIMEOUT_S, json=json, params=params
            )
            told = answer.json()
        except httpx.HTTPError as error:
            raise GitError(
                f"GitHub could not be reached at {self.api}: {error!r}", hint="run again"
            ) from error
        except ValueError as error:
            raise GitError(f"{url} answered {answer.status_code} without JSON") from error
        if answer.status_code not in accept:
            raise GitError(
                f"GitHub answered {answer.status_code} to {method} {url}: {_reason(told)}",
                hint="the token needs write access to pull requests and contents"
                if answer.status_code in (401, 403, 404)
                else "run again",
            )
        return answer.status_code, told


def body_of(repository: Repository, base: str, tip: str) -> str:
    """Return the text of a pull request: what each of its commits says changed."""
    listing = repository.git(
        "log", "-z", "--no-show-signature", "--encoding=UTF-8", "--format=%B", f"{base}..{tip}"
    )
    messages = [text.strip() for text in listing.decode(errors="replace").split("\0")]
    parts = [_listed(message) for message in messages if message]
    text = "\n\n".join(parts)
    return text if len(text) <= MAX_BODY else text[:MAX_BODY].rpartition("\n")[0] + "\n- …"


def repository_in_url(url: str) -> str:
    """Return `owner/name` of a remote's URL.

    Raises:
        UsageError: it has no such form.
    """
    found = _URL.search(url)
    if found is None:
        raise UsageError(
            "the remote's URL does not say which repository on GitHub it is",
            hint="set GITHUB_REPOSITORY to owner/name",
        )
    return found[1]


def _listed(message: str) -> str:
    """Return a commit's message as Markdown, without its trailers."""
    subject, *lines = message.split("\n")
    told = [f"- {_escaped(line)}" for line in lines if line and not _TRAILER.match(line)]
    return "\n".join([f"**{_escaped(subject)}**", "", *told]).rstrip()


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, and that mentions nobody."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", text).replace("\\@", "@\u200b")


def _reason(answer: object) -> str:
    if not isinstance(answer, dict):
        return "no reason given"
    errors = [str(one.get("message", "")) for one in answer.get("errors", ()) if "message" in one]
    return "; ".join([str(answer.get("message", "no reason given")), *errors])
