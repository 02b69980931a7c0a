"""Lists without ids: which items belong together, and which of them really moved.

Items are matched by what they are, never by their place, so an insertion at the top is one
addition, and a reorder is as few items moved as there can be.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Match", "Pairing", "matched", "moved"]

_T = TypeVar("_T")
Key = Callable[[_T], Hashable | None]

ALIKE = 0.5
"""From this likeness on (0 to 1) two items are taken for one that changed."""
MAX_COMPARED = 10_000
"""Pairs of items of which the likeness is looked at; longer lists are matched by keys alone."""


@dataclass(frozen=True, slots=True)
class Match:
    """An item of both lists, by its places from 0."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two lists held against each other; places from 0."""

    matches: tuple[Match, ...]
    """By the place in the new list."""
    removed: tuple[int, ...]
    added: tuple[int, ...]
    moved: frozenset[int]
    """Places in the new list of the items that moved against the others."""


def matched(
    before: Sequence[_T],
    after: Sequence[_T],
    keys: Sequence[Key[_T]],
    likeness: Callable[[_T, _T], float],
) -> Pairing:
    """Match the items of two lists by each key in turn, then by likeness.

    A key gives what two items must share; None where it says nothing of an item.
    """
    old, new = dict(enumerate(before)), dict(enumerate(after))
    found: list[Match] = []
    for key in keys:
        found += _by_key(old, new, key)
    if len(old) * len(new) <= MAX_COMPARED:
        found += _by_likeness(old, new, likeness)
    matches = tuple(sorted(found, key=lambda match: match.after))
    places = moved([match.before for match in matches])
    return Pairing(
        matches, tuple(old), tuple(new), frozenset(matches[place].after for place in places)
    )


def moved(ranks: Sequence[int], steady: Sequence[bool] | None = None) -> set[int]:
    """Return the fewest places to take out so that the ranks, all different, ascend.

    What is `steady` is not taken, unless the steady ones do not ascend among themselves.
    """
    weights = [len(ranks) if one else 1 for one in steady or [False] * len(ranks)]
    heaviest = _Heaviest(ranks)
    best: list[tuple[int, int]] = []
    for place, rank in enumerate(ranks):
        weight, last = heaviest.below(rank)
        best.append((weight + weights[place], last))
        heaviest.put(rank, (weight + weights[place], place))
    place = max(range(len(ranks)), key=lambda at: best[at][0], default=-1)
    taken = set(range(len(ranks)))
    while place >= 0:
        taken.discard(place)
        place = best[place][1]
    return taken


class _Heaviest:
    """The heaviest ascending chain that ends below a rank: a Fenwick tree of maxima."""

    def __init__(self, ranks: Sequence[int]) -> None:
        self._position = {rank: place for place, rank in enumerate(sorted(ranks), start=1)}
        self._tree = [(0, -1)] * (len(ranks) + 1)

    def below(self, rank: int) -> tuple[int, int]:
        """Return the weight and the last place of the heaviest chain below a rank."""
        found = (0, -1)
        at = self._position[rank] - 1
        while at > 0:
            found = max(found, self._tree[at])
            at -= at & -at
        return found

    def put(self, rank: int, chain: tuple[int, int]) -> None:
        """Note a chain that ends with a rank."""
        at = self._position[rank]
        while at < len(self._tree):
            self._tree[at] = max(self._tree[at], chain)
            at += at & -at


def _by_key(old: dict[int, _T], new: dict[int, _T], key: Key[_T]) -> Iterator[Match]:
    """Match what has the same key, in order, and take it out of both."""
    waiting: dict[Hashable, list[int]] = {}
    for place in reversed(old):
        if (value := key(old[place])) is not None:
            waiting.setdefault(value, []).append(place)
    for place in list(new):
        value = key(new[place])
        if value is not None and (places := waiting.get(value)):
            yield _match(old, new, places.pop(), place)


def _by_likeness(
    old: dict[int, _T], new: dict[int, _T], likeness: Callable[[_T, _T], float]
) -> Iterator[Match]:
    """Match the most alike first; the nearest of equally alike ones."""
    scored = [
        (-score, abs(was - now), was, now)
        for was, one in old.items()
        for now, other in new.items()
        if (score := likeness(one, other)) >= ALIKE
    ]
    for _, _, was, now in sorted(scored):
        if was in old and now in new:
            yield _match(old, new, was, now)


def _match(old: dict[int, _T], new: dict[int, _T], was: int, now: int) -> Match:
    del old[was], new[now]
    return Match(was, now)
