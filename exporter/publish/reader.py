"""Fetching files as readers do: over plain HTTP through a target's `base_url`.

What cannot be fetched is an answer too (`problem`), because those who ask report it beside what
could. A URL is fetched through whatever caches stand in front, or past them with a query that no
cache has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from exporter.core.segments import object_url

__all__ = ["CdnReader", "Fetched", "file_url"]

TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; `problem` says why there is none."""

    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    problem: str = ""


def file_url(base_url: str, key: str, version: int | None = None, bust: str = "") -> str:
    """Return a file's URL; `bust` makes it one that no cache can hold."""
    queries = [f"v={version}"] if version is not None else []
    queries += [f"exporter-look={bust}"] if bust else []
    query = "?" + "&".join(queries) if queries else ""
    return f"{base_url}/{object_url(key)}{query}"


class CdnReader:
    """Fetches URLs over one pool of connections. Use it in a `with` block; safe in threads."""

    def __init__(self, concurrency: int, timeout_s: float = TIMEOUT_S) -> None:
        import httpx  # not at the top: it is slow, and most commands fetch nothing

        limits = httpx.Limits(max_connections=concurrency)
        self._client = httpx.Client(timeout=timeout_s, limits=limits, follow_redirects=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def fetch(self, url: str, origin: str = "", *, bearer: str = "") -> Fetched:
        """Return what a reader gets; `origin` is the page's that asks, empty for none."""
        import httpx

        headers = {"Origin": origin} if origin else {}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        try:
            answer = self._client.get(url, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Fetched(problem=str(error) or type(error).__name__)
        received = {name.lower(): value for name, value in answer.headers.items()}
        return Fetched(answer.status_code, answer.content, received)
