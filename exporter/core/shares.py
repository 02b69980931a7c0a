"""Sharing out the plans of a publish to several machines, so that none has much more to do.

A machine makes the files of its plans and every lesson that they show; a lesson that plans of two
shares show is made twice, with the same bytes. So plans with the same subjects are put together
until a machine has its part of all the work, and whoever has the least to do takes the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from exporter.core.access import listed_subjects
from exporter.core.model import LESSON, Document
from exporter.core.segments import segment
from exporter.core.tree import place_of

__all__ = ["share_out"]

_OF_A_LESSON = 20
"""What a plan's own files say of a lesson is this part of the lesson's own file."""


def share_out(
    chosen: Collection[str], plans: Iterable[Document], paths: Iterable[str], count: int
) -> list[frozenset[str]]:
    """Return so many shares of the chosen plans, some maybe empty; the same on every machine.

    `paths` are those of the commit's snapshot folder, by which subjects are weighed.
    """
    lessons = _lessons_by_subject(paths)
    listed = {plan.name: frozenset(map(segment, listed_subjects(plan))) for plan in plans}
    subjects = {name: listed.get(name, frozenset()) for name in chosen}
    weights = {name: sum(lessons[one] for one in found) for name, found in subjects.items()}
    own = {name: 1 + weight // _OF_A_LESSON for name, weight in weights.items()}
    once = frozenset().union(*subjects.values())
    part = (sum(lessons[one] for one in once) + sum(own.values())) / count
    shares = [_Share(lessons, part) for _ in range(count)]
    for name in sorted(chosen, key=lambda plan: (-weights[plan], plan)):
        best = min(shares, key=lambda share: share.cost(subjects[name], own[name]))
        best.take(name, subjects[name], own[name])
    return [frozenset(share.plans) for share in shares]


class _Share:
    """What one machine has to do so far; `part` is what it has to do if all do the same."""

    def __init__(self, lessons: Mapping[str, int], part: float) -> None:
        self._lessons = lessons
        self._part = part
        self._subjects: set[str] = set()
        self.plans: list[str] = []
        self.load = 0

    def cost(self, subjects: Collection[str], own: int) -> tuple[bool, int, int]:
        """Return what speaks against a plan here, the weightiest first."""
        added = self._added(subjects)
        is_full = self.load + added + own > self._part
        return (is_full, 0 if is_full else added, self.load + added)

    def take(self, plan: str, subjects: Collection[str], own: int) -> None:
        """Take a plan, of which the own files are so much work."""
        self.load += self._added(subjects) + own
        self._subjects.update(subjects)
        self.plans.append(plan)

    def _added(self, subjects: Collection[str]) -> int:
        """Return how many lessons subjects bring that are not here yet."""
        return sum(self._lessons[one] for one in subjects if one not in self._subjects)


def _lessons_by_subject(paths: Iterable[str]) -> Counter[str]:
    """Return how many lessons are in each subject's folder."""
    places = ((path, place_of(path)) for path in paths if path.startswith("subjects/"))
    return Counter(
        path.split("/")[1] for path, place in places if place and place.doctype == LESSON
    )
