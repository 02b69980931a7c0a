"""Two forms of one file side by side: what is gone from the left, what is new at the right.

A mark is set at a JSON pointer of its own side. A text is marked by its pieces, word by word; for
any other value, and for what only one side has, the one piece is empty and means all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from exporter.core.artifacts import Body
from exporter.core.diff_values import paired
from exporter.core.diff_words import Piece, word_diff
from exporter.core.model import Json

__all__ = ["Lined", "side_by_side"]

_NOT_CONTENT = frozenset(("version", "generated_at", "stages"))

Marks = dict[str, tuple[Piece, ...]]


@dataclass(frozen=True, slots=True)
class Lined:
    """A lesson before and after: the stages that belong together, and the marks of both sides."""

    pairs: tuple[tuple[int | None, int | None], ...]
    """Places from 0 in the order in which they are shown; None where one side has none."""
    left: Marks = field(default_factory=dict)
    right: Marks = field(default_factory=dict)


def side_by_side(before: Body, after: Body) -> Lined:
    """Hold two forms of a published lesson against each other."""
    old, new = _stages(before), _stages(after)
    lined = Lined(tuple(_pairs(old, new)))
    for key in sorted((before.keys() | after.keys()) - _NOT_CONTENT):
        _mark(lined, (f"/{key}", before.get(key)), (f"/{key}", after.get(key)))
    for was, now in lined.pairs:
        one = old[was] if was is not None else None
        other = new[now] if now is not None else None
        _mark(lined, (f"/stages/{was}", one), (f"/stages/{now}", other))
    return lined


def _stages(body: Body) -> list[Body]:
    """Return the stages without their numbers, which follow from their places."""
    stages = body.get("stages")
    listed = stages if isinstance(stages, list) else []
    return [
        {key: value for key, value in one.items() if key != "idx"}
        for one in listed
        if isinstance(one, dict)
    ]


def _pairs(old: Sequence[Body], new: Sequence[Body]) -> Iterator[tuple[int | None, int | None]]:
    """Yield what belongs together in the new order; what is gone stands where it stood."""
    pairing = paired(old, new, "stages")
    matches = {match.after: match.before for match in pairing.matches}
    waiting = list(pairing.removed)
    for place in range(len(new)):
        before = matches.get(place)
        while waiting and before is not None and waiting[0] < before:
            yield waiting.pop(0), None
        yield before, place
    yield from ((place, None) for place in waiting)


_At = tuple[str, Json]
"""A pointer and the value there."""


def _mark(lined: Lined, before: _At, after: _At) -> None:
    """Mark what differs between two values; None stands for a value that is not there."""
    (left, old), (right, new) = before, after
    if old == new and type(old) is type(new):
        return
    match old, new:
        case dict(), dict():
            for key in sorted(old.keys() | new.keys()):
                step = f"/{key.replace('~', '~0').replace('/', '~1')}"
                _mark(lined, (left + step, old.get(key)), (right + step, new.get(key)))
        case list(), list():
            pairing = paired(old, new)
            for pair in pairing.matches:
                one, other = old[pair.before], new[pair.after]
                _mark(lined, (f"{left}/{pair.before}", one), (f"{right}/{pair.after}", other))
            lined.left.update((f"{left}/{place}", _whole("gone")) for place in pairing.removed)
            lined.right.update((f"{right}/{place}", _whole("new")) for place in pairing.added)
        case str(), str():
            pieces = word_diff(old, new)
            lined.left[left] = tuple(piece for piece in pieces if piece.op != "new")
            lined.right[right] = tuple(piece for piece in pieces if piece.op != "gone")
        case _:
            if old is not None:
                lined.left[left] = _whole("gone")
            if new is not None:
                lined.right[right] = _whole("new")


def _whole(op: str) -> tuple[Piece, ...]:
    return (Piece("gone" if op == "gone" else "new", ""),)
