"""Where a repository's commits can be looked at on the web, as its remote's address tells.

Only hosts that are known are linked to: another one may have no such pages. An address may hold a
credential; nothing but host, owner and name is taken from it.
"""

from __future__ import annotations

import re

from exporter.content.repository import Repository

__all__ = ["commit_pages", "pages_of"]

_BELOW: dict[str, str] = {
    "github.com": "commit",
    "gitlab.com": "-/commit",
    "bitbucket.org": "commits",
    "codeberg.org": "commit",
}
_URL = re.compile(
    r"(?:(?:https?|ssh|git)://)?(?:[^@/]*@)?(?P<host>[a-z0-9.-]+)(?::\d+)?[:/]"
    r"(?P<path>[\w.-]+(?:/[\w.-]+)*/[\w.-]+?)(?:\.git)?/?",
    re.ASCII | re.IGNORECASE,
)


def commit_pages(repository: Repository) -> str | None:
    """Return what a commit's id is put behind for the address of its page; None: not known."""
    names = repository.git("remote").decode().split()
    chosen = "origin" if "origin" in names else next(iter(names), "")
    if not chosen:
        return None
    return pages_of(repository.git("remote", "get-url", chosen).decode(errors="replace").strip())


def pages_of(remote_url: str) -> str | None:
    """Return the same for a remote's URL, of any form that git takes."""
    found = _URL.fullmatch(remote_url)
    below = _BELOW.get(found["host"].lower()) if found else None
    return f"https://{found['host'].lower()}/{found['path']}/{below}/" if found and below else None
