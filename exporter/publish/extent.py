"""How much of a commit a publish has to read: the subjects that changed, for most plans.

A plan that is live as of the base, and of which neither its own file nor a subject changed, keeps
its live files of that subject (`core.standing`). Everything else that a chosen plan lists is read,
and of the other subjects only their own file, since the manifest tells of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.core.access import listed_subjects
from exporter.core.artifacts import Index
from exporter.core.model import DOCTYPES, SUBJECT, Document
from exporter.core.segments import segment
from exporter.core.standing import Standing, standing_subjects
from exporter.publish.outcomes import plan_path
from exporter.publish.settling import State

__all__ = ["Extent", "Part"]

_FOLDER, _INDEX = DOCTYPES[SUBJECT].folder, DOCTYPES[SUBJECT].index_file


@dataclass(frozen=True, slots=True)
class Part:
    """What is read: the subjects' folders that are read whole; and what stands, by plan."""

    folders: frozenset[str]
    standing: Mapping[str, Mapping[str, Standing]]

    def files(self, tree: Mapping[str, str]) -> dict[str, str]:
        """Return the files of a snapshot folder that have to be read."""
        return {path: blob for path, blob in tree.items() if self._has(path)}

    def _has(self, path: str) -> bool:
        top, _, below = path.partition("/")
        if top != _FOLDER:
            return True
        folder, _, rest = below.partition("/")
        return folder in self.folders or rest == _INDEX


@dataclass(frozen=True, slots=True)
class Extent:
    """What changed since the live release, where names tell subjects apart."""

    changed: set[str]
    """Paths in the snapshot folder."""
    plans: Mapping[str, Document]
    """The plans of the commit that is published, by name."""

    def part(self, chosen: Iterable[str], state: State, old: Mapping[str, Index]) -> Part:
        """Return what has to be read for some plans, given their live indexes."""
        standing: dict[str, Mapping[str, Standing]] = {}
        folders: set[str] = set()
        for name in sorted(chosen):
            plan = self.plans.get(name)
            listed = set(listed_subjects(plan)) if plan else set()
            own = standing_subjects(name, self._same(listed), old.get(name, {}))
            standing[name] = own if self._is_as_live(name, state) else {}
            if plan and plan.flag("is_published"):
                folders |= {segment(one) for one in listed - standing[name].keys()}
        return Part(frozenset(folders), standing)

    def _is_as_live(self, name: str, state: State) -> bool:
        """Tell whether a plan is live as of the base, in full, and its own file did not change."""
        outcome, live = state.before.get(name), state.live
        if outcome is None or live.head is None or live.release is None or outcome.is_behind:
            return False
        same = (outcome.commit, outcome.lessons) == (live.head.commit, live.release.lessons)
        return same and plan_path(name) not in self.changed

    def _same(self, subjects: set[str]) -> set[str]:
        """Return the subjects below which nothing changed."""
        changed = {path.split("/", 2)[1] for path in self.changed if path.startswith(f"{_FOLDER}/")}
        return {name for name in subjects if segment(name) not in changed}
