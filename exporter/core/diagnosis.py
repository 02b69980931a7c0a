"""What `exporter doctor` finds out: one `Check` for everything that a run needs (spec 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from exporter.errors import ExporterError

__all__ = ["Check", "Health", "guarded"]


class Health(Enum):
    """How something that was tried is."""

    GOOD = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: in which area, what it is called, what came out, how to mend it."""

    area: str
    name: str
    health: Health
    message: str
    hint: str = ""


def guarded(area: str, name: str, checks: Iterable[Check]) -> Iterator[Check]:
    """Yield checks; an error that ends them is the last one, under the name given."""
    try:
        yield from checks
    except ExporterError as error:
        yield Check(area, name, Health.PROBLEM, error.message, error.hint)
