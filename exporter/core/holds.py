"""Which versions of a document people rolled back, from its history alone (spec 5, "Holds").

The database still has what was rolled back, and a snapshot would bring it back within minutes. So
a version that a rollback removed is held: it is not taken until the document changes once more.
Everything here works on one document's touches, from old to new; where they come from is not known
here. A version is anything that can be compared, and None is "does not exist".
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

__all__ = ["Mark", "Touch", "held_now", "held_versions", "is_settled", "mark_of", "own_words"]

_V = TypeVar("_V", bound=Hashable)

_SNAPSHOT = re.compile(r"^Exporter-Snapshot:", re.MULTILINE)
_ROLLBACK = re.compile(
    r"^Exporter-Rollback:"
    r"|\bThis reverts commits? [0-9a-f]{7,}"
    r"|\bReverts [\w.-]+/[\w.-]+#\d+",
    re.MULTILINE,
)


class Mark(Enum):
    """What a commit's message says of it."""

    SNAPSHOT = "snapshot"
    ROLLBACK = "rollback"
    PLAIN = "plain"
    """Neither; it still is a rollback of a document of which it puts back an earlier version."""


@dataclass(frozen=True, slots=True)
class Touch(Generic[_V]):
    """A commit that gave a document another version."""

    commit: str
    mark: Mark
    before: _V | None
    after: _V | None


def mark_of(message: str) -> Mark:
    """Return what a commit's message says of it.

    A squash merge joins messages, so a trailer counts wherever it starts a line. A snapshot's own
    message quotes titles, which may say anything: its trailer decides alone.
    """
    if _SNAPSHOT.search(message):
        return Mark.SNAPSHOT
    return Mark.ROLLBACK if _ROLLBACK.search(message) else Mark.PLAIN


def held_versions(touches: Iterable[Touch[_V]]) -> dict[_V | None, str]:
    """Return the held versions, each with the commit that rolled it back.

    `touches` are all those since the newest snapshot's, from old to new, and as many older ones
    as it takes to know a version that comes back. A snapshot that touches the document ends what
    was held before it, for good: an editor who sets the same words again means it.
    """
    held: dict[_V | None, str] = {}
    known: set[_V | None] = {None}
    for touch in touches:
        known.add(touch.before)
        if touch.mark is Mark.SNAPSHOT:
            held.clear()
        elif touch.mark is Mark.ROLLBACK or touch.after in known:
            _roll_back(held, touch)
        known.add(touch.after)
    return held


def held_now(touches: Sequence[Touch[_V]], *, watched: bool) -> tuple[_V | None, str] | None:
    """Return the held version that the database has, as far as history tells, and its rollback.

    That is what the newest snapshot gave the document, or else another version that the database
    once had: never what only people wrote. Where no snapshot touched it, the database has no such
    document if snapshots were taken before (`watched`); if none were, it may have any version.
    """
    held = held_versions(touches)
    taken = [touch for touch in touches if touch.mark is Mark.SNAPSHOT]
    now = taken[-1].after if taken else None
    if (taken or watched) and now in held:
        return now, held[now]
    had = {version for touch in taken for version in (touch.before, touch.after)}
    known = taken or watched
    return next((one for one in reversed(held.items()) if one[0] in had or not known), None)


def own_words(touches: Sequence[Touch[_V]]) -> str | None:
    """Return the commit of a person's own words, where these are a document's newest version.

    `touches` are as for `held_versions`. What a rollback put back was the database's once.
    """
    if not touches:
        return None
    *older, newest = touches
    known = {
        None,
        newest.before,
        *(version for one in older for version in (one.before, one.after)),
    }
    is_own = newest.mark is Mark.PLAIN and newest.after not in known
    return newest.commit if is_own else None


def is_settled(touches: Iterable[Touch[_V]]) -> bool:
    """Tell whether no older touch can change what these give.

    They begin with a snapshot's, and every version that a plain commit put back is known or was
    never there; what is not known yet may be an earlier version or a new one.
    """
    known: set[_V | None] = {None}
    settled = False
    for touch in touches:
        known.add(touch.before)
        if touch.mark is Mark.SNAPSHOT:
            settled = True
        elif touch.mark is Mark.PLAIN and touch.after not in known:
            settled = False
        known.add(touch.after)
    return settled


def _roll_back(held: dict[_V | None, str], touch: Touch[_V]) -> None:
    """Let go of a held version that comes back, or else hold the one that goes."""
    if touch.after in held:
        del held[touch.after]
    else:
        held[touch.before] = touch.commit
