"""Telling Cloudflare's cache what changed (spec 5, step 8).

The pure part turns changed keys into the bodies of requests. An edge keys its cache by the full URL
*and* the request's `Origin`, so `files` names every form of a URL that an edge may hold: plain and
with its last `?v=`, each of these again per configured origin. New URLs are named too, as an edge
also keeps 404s. `prefixes` names paths without scheme and query, which clears all forms at once.

`CloudflarePurger` makes the requests. A batch is done only when the answer says `success`; 429, 5xx
and silence are tried again within bounds. What failed is the caller's to keep (`purges/`): a batch
can be stored as its body and read back.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote, urlsplit

from exporter.core.segments import object_url
from exporter.errors import ConfigError, PurgeBusy, PurgeError

if TYPE_CHECKING:
    import httpx

__all__ = [
    "CachedUrl",
    "CloudflarePurger",
    "Edge",
    "PurgeBatch",
    "purge_batch_from",
    "purge_batches",
]

FOLD_ABOVE = 30
"""A plan with more changed keys than this is purged as its folder (method `prefixes`)."""
MAX_PREFIXES = 100
"""Prefixes that one request may name, whatever the zone's plan (spec 7)."""
ENDPOINT = "https://api.cloudflare.com/client/v4"
MAX_ATTEMPTS = 5
MAX_WAIT_S = 120.0
"""The longest that one batch may spend waiting between its attempts."""
TIMEOUT_S = 30.0

_TOKEN = re.compile(r"[\x21-\x7e]+")
_SECONDS = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Edge:
    """How an edge names what it holds; `base_url` is where readers fetch keys, without a slash."""

    base_url: str
    method: Literal["files", "prefixes"] = "files"
    origins: tuple[str, ...] = ()
    batch_size: int = 30


@dataclass(frozen=True, slots=True)
class CachedUrl:
    """One cached form of an object; `origin` is the page's that fetched it, empty for none."""

    url: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class PurgeBatch:
    """One request: URLs or prefixes, never both."""

    urls: tuple[CachedUrl, ...] = ()
    prefixes: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """Return the request's JSON, which is also how a pending batch is stored."""
        if self.prefixes:
            return {"prefixes": list(self.prefixes)}
        return {"files": [_file(cached) for cached in self.urls]}

    def __len__(self) -> int:
        """Return how many URLs or prefixes are named."""
        return len(self.prefixes or self.urls)

    def __str__(self) -> str:
        names = self.prefixes or tuple(cached.url for cached in self.urls)
        kind = "prefixes" if self.prefixes else "URLs"
        return f"{len(names)} {kind} from {names[0]}" if names else "nothing"


def purge_batch_from(body: Mapping[str, Any]) -> PurgeBatch:
    """Return the batch of which this is the body."""
    return PurgeBatch(
        tuple(_cached(file) for file in body.get("files", ())),
        tuple(body.get("prefixes", ())),
    )


def purge_batches(changed: Mapping[str, int | None], edge: Edge) -> tuple[PurgeBatch, ...]:
    """Return the requests that clear objects which were put or deleted, in the order given.

    `changed` maps a key to the last version that links may have carried, None where it is new.
    """
    if edge.method == "prefixes":
        size = min(edge.batch_size, MAX_PREFIXES)
        named = _cut(_prefixes(changed, edge.base_url), size)
        return tuple(PurgeBatch(prefixes=prefixes) for prefixes in named)
    forms = [form for key, version in changed.items() for form in _forms(key, version, edge)]
    return tuple(PurgeBatch(urls=urls) for urls in _cut(forms, edge.batch_size))


class CloudflarePurger:
    """Purges one zone. Use it in a `with` block: it keeps a connection open between batches."""

    def __init__(
        self,
        zone_id: str,
        api_token: str,
        *,
        sleep: Callable[[float], None],
        endpoint: str = ENDPOINT,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        import httpx  # not at the top: it is slow, and planning needs none of it

        if not _TOKEN.fullmatch(api_token):
            # Sent as it is, the header's error message would show it.
            raise ConfigError(
                "`purge.api_token` holds characters that no token has",
                hint="look for a blank or a line break around it in the environment variable",
            )
        self._url = f"{endpoint.rstrip('/')}/zones/{quote(zone_id, safe='')}/purge_cache"
        self._token = api_token
        self._sleep = sleep
        self._client = httpx.Client(
            timeout=timeout_s, headers={"Authorization": f"Bearer {api_token}"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def purge(self, batch: PurgeBatch) -> None:
        """Clear a batch.

        Raises:
            PurgeBusy: Cloudflare was away at every attempt.
            PurgeError: it refused this batch, in its own words.
        """
        waited_s = 0.0
        for attempt in itertools.count(1):
            refusal = self._ask(batch)
            if refusal is None:
                return
            wait_s = refusal.retry_after_s if refusal.retry_after_s is not None else 2.0**attempt
            if not refusal.passing or attempt == MAX_ATTEMPTS or waited_s + wait_s > MAX_WAIT_S:
                raise self._error(batch, refusal, attempt)
            self._sleep(wait_s)
            waited_s += wait_s

    def _ask(self, batch: PurgeBatch) -> _Refusal | None:
        import httpx

        try:
            answer = self._client.post(self._url, json=batch.body())
        except httpx.RequestError as error:
            return _Refusal(f"no answer: {str(error) or type(error).__name__}", passing=True)
        return _refusal(answer)

    def _error(self, batch: PurgeBatch, refusal: _Refusal, attempts: int) -> PurgeError:
        tries = f" ({attempts} attempts)" if attempts > 1 else ""
        message = f"Cloudflare did not purge {batch}: {refusal.reason}{tries}"
        kind = PurgeBusy if refusal.passing else PurgeError
        return kind(message.replace(self._token, "***"), hint=refusal.hint)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a batch was not purged; a passing refusal may be gone at the next attempt."""

    reason: str
    hint: str = "what was not purged stays pending; run again"
    passing: bool = False
    retry_after_s: float | None = None


def _refusal(answer: httpx.Response) -> _Refusal | None:
    """Read an answer; None where the purge was accepted."""
    payload = _payload(answer)
    if answer.is_success and payload.get("success") is True:
        return None
    status = answer.status_code
    words = _words(payload.get("errors")) or "without a reason"
    seconds = _SECONDS.fullmatch(answer.headers.get("Retry-After", "").strip())
    return _Refusal(
        f"{words} (HTTP {status})",
        _hint(status, words),
        passing=status == 429 or status >= 500,
        retry_after_s=float(seconds.group()) if seconds else None,
    )


def _payload(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the answer's JSON object; empty for anything else, such as a proxy's HTML."""
    try:
        payload = answer.json()
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _words(errors: object) -> str:
    """Return Cloudflare's codes and messages, those of `error_chain` included."""
    if not isinstance(errors, list):
        return ""
    found = [error for error in errors if isinstance(error, dict)]
    told = [f"{error.get('code')} {error.get('message')}" for error in found]
    chained = [_words(error.get("error_chain")) for error in found]
    return "; ".join(part for part in [*told, *chained] if part)


def _hint(status: int, words: str) -> str:
    if status in (401, 403) or "6003 " in words:
        return (
            "`purge.api_token` needs the permission Zone › Cache Purge, on the zone `purge.zone_id`"
        )
    if status == 404 or "7003 " in words:
        return "check `purge.zone_id`: 32 hex digits, on the zone's overview page"
    if status == 429:
        return "too many purges at once; what was not purged stays pending: run again later"
    return (
        "what was not purged stays pending; run again, with a smaller `purge.batch_size` if asked"
    )


def _forms(key: str, version: int | None, edge: Edge) -> Iterable[CachedUrl]:
    plain = f"{edge.base_url.rstrip('/')}/{object_url(key)}"
    urls = [plain] if version is None else [plain, f"{plain}?v={version}"]
    return [CachedUrl(url, origin) for url in urls for origin in ("", *edge.origins)]


def _prefixes(keys: Iterable[str], base_url: str) -> Sequence[str]:
    """Return what to name for these keys, each once; a slash ends a folder (`P/` is not `P2/`)."""
    folders = {key: _plan_folder(key) for key in keys}
    changes = Counter(folders.values())
    base = urlsplit(base_url)
    root = f"{base.netloc}{base.path}".rstrip("/")
    named = [folder if changes[folder] > FOLD_ABOVE else key for key, folder in folders.items()]
    return tuple(dict.fromkeys(f"{root}/{object_url(name)}" for name in named))


def _plan_folder(key: str) -> str:
    """Return `plans/P/` for a plan's file; the key itself for any other."""
    parts = key.split("/")
    return f"plans/{parts[1]}/" if parts[0] == "plans" and len(parts) > 2 else key


def _cut(entries: Sequence[Any], size: int) -> list[tuple[Any, ...]]:
    return [tuple(entries[start : start + size]) for start in range(0, len(entries), size)]


def _file(cached: CachedUrl) -> str | dict[str, Any]:
    if not cached.origin:
        return cached.url
    return {"url": cached.url, "headers": {"Origin": cached.origin}}


def _cached(file: str | Mapping[str, Any]) -> CachedUrl:
    if isinstance(file, str):
        return CachedUrl(file)
    return CachedUrl(file["url"], file["headers"]["Origin"])
