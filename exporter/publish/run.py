"""One run against a target: who, when, how hard. Clock, sleep and chance come in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.core.progress import Progress, unseen

__all__ = ["Run", "instant", "moment"]


@dataclass(frozen=True, slots=True)
class Run:
    """Who publishes, when, and how hard: what comes from outside into a publish."""

    release_id: str
    """Names the run too, also where it makes no release."""
    trigger: str
    exporter: str
    now: Callable[[], datetime]
    concurrency: int
    cache_control: Mapping[str, str]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """A number from 0 to below 1, for the jitter of retries."""
    retries: int = 3
    progress: Progress = unseen


def instant(when: datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Read what `instant` wrote.

    Raises:
        ValueError: it is no such text.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
