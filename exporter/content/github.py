"""A repository on GitHub, through its REST API; any server that speaks it will do.

Tokens never appear in what is raised. What comes back is GitHub's word, except for what people
wrote into it: titles, branch names and texts are data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from exporter.errors import GitError, UsageError

__all__ = ["GitHub", "reason", "repository_in_url"]

PAGE = 100
"""Entries a page of a listing; GitHub gives no more."""
MAX_PAGES = 30

_TIMEOUT_S = 30.0
_URL = re.compile(r"[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\Z")


@dataclass(frozen=True, slots=True, repr=False)
class GitHub:
    """A repository on GitHub, or on a server that speaks its API."""

    api: str
    """As `https://api.github.com`."""
    repository: str
    """As `owner/name`."""
    token: str

    def call(
        self,
        method: str,
        path: str,
        *,
        accept: tuple[int, ...] = (200,),
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send a request about the repository, as `pulls/7`; its status and answer.

        Raises:
            GitError: GitHub cannot be reached, or answers with a status that is not accepted.
        """
        url = self._url(path)
        try:
            answer = httpx.request(
                method, url, headers=self._headers, timeout=_TIMEOUT_S, json=json, params=params
            )
            told = answer.json() if answer.content else None
        except httpx.HTTPError as error:
            raise self._away(error) from error
        except ValueError as error:
            raise GitError(f"{url} answered {answer.status_code} without JSON") from error
        if answer.status_code not in accept:
            raise _refused(method, url, answer.status_code, told)
        return answer.status_code, told

    def listing(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Yield the entries of a listing, page by page."""
        for page in range(1, MAX_PAGES + 1):
            asked = {**(params or {}), "per_page": str(PAGE), "page": str(page)}
            _, entries = self.call("GET", path, params=asked)
            yield from entries
            if len(entries) < PAGE:
                return

    def download(self, path: str, max_bytes: int) -> bytes:
        """Return a file, of which GitHub may say that it lies on another server.

        Raises:
            GitError: it cannot be had, or it is larger than that.
        """
        url, body = self._url(path), bytearray()
        try:  # the token goes to GitHub alone: httpx leaves it out where it follows elsewhere
            with (
                httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client,
                client.stream("GET", url, headers=self._headers) as answer,
            ):
                if answer.status_code != 200:
                    raise _refused("GET", url, answer.status_code, None)
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > max_bytes:
                        raise GitError(f"{url} is larger than {max_bytes:,} bytes")
        except httpx.HTTPError as error:
            raise self._away(error) from error
        return bytes(body)

    @property
    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def _url(self, path: str) -> str:
        return f"{self.api.rstrip('/')}/repos/{quote(self.repository)}/{quote(path)}"

    def _away(self, error: httpx.HTTPError) -> GitError:
        return GitError(f"GitHub could not be reached at {self.api}: {error!r}", hint="run again")


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


def reason(answer: object) -> str:
    """Return what GitHub says was wrong with a request."""
    if not isinstance(answer, dict):
        return "no reason given"
    errors = [str(one.get("message", "")) for one in answer.get("errors", ()) if "message" in one]
    return "; ".join([str(answer.get("message", "no reason given")), *errors])


def _refused(method: str, url: str, status: int, answer: object) -> GitError:
    return GitError(
        f"GitHub answered {status} to {method} {url}: {reason(answer)}",
        hint="the token needs the permission for that: see docs/github.md"
        if status in (401, 403, 404)
        else "run again",
    )
