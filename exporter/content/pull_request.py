"""One pull request for a branch of snapshots, through GitHub's API (spec 2, step 7).

There is one open pull request for the branch at most: where there is, its text is brought up to
date.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.content.github import GitHub, reason
from exporter.errors import GitError

__all__ = ["PullRequest", "open_or_update"]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request."""

    number: int
    url: str
    created: bool
    """Opened just now; else it was there, and its text was brought up to date."""


def open_or_update(github: GitHub, branch: str, base: str, title: str, body: str) -> PullRequest:
    """See to it that one open pull request has this branch and text.

    Raises:
        GitError: GitHub cannot be reached, or refuses.
    """
    found = _find(github, branch, base)
    if found is None:
        request = {"head": branch, "base": base, "title": title, "body": body}
        status, answer = github.call("POST", "pulls", json=request, accept=(201, 422))
        if status == 201:
            return PullRequest(answer["number"], answer["html_url"], created=True)
        found = _find(github, branch, base)
        if found is None:
            raise GitError(
                f"GitHub opens no pull request of {branch} into {base}: {reason(answer)}"
            )
    _, answer = github.call("PATCH", f"pulls/{found}", json={"title": title, "body": body})
    return PullRequest(found, answer["html_url"], created=False)


def _find(github: GitHub, branch: str, base: str) -> int | None:
    owner = github.repository.partition("/")[0]
    query = {"state": "open", "head": f"{owner}:{branch}", "base": base, "per_page": "1"}
    _, found = github.call("GET", "pulls", params=query)
    return int(found[0]["number"]) if found else None
