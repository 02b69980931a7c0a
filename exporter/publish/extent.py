"""How much of a commit a publish has to read: the subjects that changed, for most plans.

A plan that is live as of the base, and of which neither its own file nor a subject changed, keeps
its live files of that subject (`core.standing`); where a commit goes back to an earlier release,
that one's may stand too (`precedent`). Everything else that a chosen plan lists is read, and of the
other subjects only their own file, since the manifest tells of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.core.access import listed_subjects
from exporter.core.artifacts import Index
from exporter.core.model import DOCTYPES, SUBJECT, Document
from exporter.core.segments import segment
from exporter.core.standing import Standing, standing_subjects
from exporter.publish.outcomes import plan_path
from exporter.publish.precedent import Precedent
from exporter.publish.settling import State

__all__ = ["Extent", "Part"]

_FOLDER, _INDEX = DOCTYPES[SUBJECT].folder, DOCTYPES[SUBJECT].index_file


@dataclass(frozen=True, slots=True)
class Part:
    """What is read: the subjects' folders that are read whole; and what stands, by plan."""

    folders: frozenset[str] = frozenset()
    standing: Mapping[str, Mapping[str, Standing]] = field(default_factory=dict)
    precedent: str = ""
    """The earlier release of which files stand, if one is."""
    shared: Index = field(default_factory=dict)
    """The shared files that what stands of an earlier release leads to."""

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

    def part(
        self,
        chosen: Iterable[str],
        state: State,
        old: Mapping[str, Index],
        precedent: Precedent | None = None,
    ) -> Part:
        """Return what has to be read for some plans, given their live indexes."""
        touched = self._touched()
        standing: dict[str, Mapping[str, Standing]] = {}
        again: list[Index] = []
        folders: set[str] = set()
        for name in sorted(chosen):
            plan = self.plans.get(name)
            listed = set(listed_subjects(plan)) if plan else set()
            same = {one for one in listed if segment(one) not in touched}
            live = standing_subjects(name, same, old.get(name, {}))
            own = live if self._is_as_live(name, state) else {}
            earlier = precedent.subjects(name, listed - own.keys()) if precedent else {}
            again += [one.files for one in earlier.values()]
            standing[name] = {**own, **earlier}
            if plan and plan.flag("is_published"):
                folders |= {segment(one) for one in listed - standing[name].keys()}
        shared = precedent.shared_by(again) if precedent else {}
        named = precedent.release.id if precedent and again else ""
        return Part(frozenset(folders), standing, named, shared)

    def _is_as_live(self, name: str, state: State) -> bool:
        """Tell whether a plan is live as of the base, in full, and its own file did not change."""
        outcome, live = state.before.get(name), state.live
        if outcome is None or live.head is None or live.release is None or outcome.is_behind:
            return False
        same = (outcome.commit, outcome.lessons) == (live.head.commit, live.release.lessons)
        return same and plan_path(name) not in self.changed

    def _touched(self) -> set[str]:
        """Return the folders of the subjects below which something changed."""
        return {path.split("/", 2)[1] for path in self.changed if path.startswith(f"{_FOLDER}/")}
