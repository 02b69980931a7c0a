"""What the CDN's cache has still to be told: purges that are sent, and those that are owed.

While a publish is unfinished its journal names what to purge; requests that the CDN did not accept
are kept in `purges/<run>.json`, and the journal names that run until they are paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from exporter.errors import PurgeBusy, PurgeError
from exporter.publish.ledger import Ledger

__all__ = ["Purger", "pay", "send_all"]


class Purger(Protocol):
    """Asks a CDN to forget URLs. A request is one call's body, as plain JSON."""

    def requests(self, changes: Mapping[str, int | None]) -> list[dict[str, Any]]:
        """Return the requests for changed keys, given each one's last version."""

    def send(self, request: Mapping[str, Any]) -> None:
        """Send one request; PurgeError where it is refused, PurgeBusy where the CDN is away."""


def pay(
    ledger: Ledger,
    purger: Purger,
    changes: Mapping[str, int | None],
    owed: tuple[str, ...],
    before_each: Callable[[], None],
) -> str:
    """Send what earlier runs owe, then what changed; what is refused the last of `owed` owes.

    Returns the CDN's last refusal, empty where it accepted everything.
    """
    *earlier, mine = owed
    debts = {run: found for run in earlier if (found := ledger.pending_purge(run))}
    requests = [one for found in debts.values() for one in found]
    requests += purger.requests(changes) if changes else []
    refused, error = send_all(purger, requests, before_each)
    if refused:
        ledger.owe_purge(mine, refused)
    for run in debts:
        ledger.owe_purge(run, [])
    return error


def send_all(
    purger: Purger, requests: Iterable[dict[str, Any]], before_each: Callable[[], None]
) -> tuple[list[dict[str, Any]], str]:
    """Send requests; return those that were not accepted, and why the last of them was not.

    A CDN that is away has had its retries with the first request: the others are not even tried,
    or a publish of many files would wait there for as long as the outage lasts.
    """
    refused: list[dict[str, Any]] = []
    error, away = "", False
    for request in requests:
        if not away:
            before_each()
            try:
                purger.send(request)
            except PurgeError as problem:
                error, away = problem.message, isinstance(problem, PurgeBusy)
            else:
                continue
        refused.append(request)
    return refused, error
