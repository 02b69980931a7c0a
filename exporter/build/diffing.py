"""The whole difference of two contents: documents, what plans show, files, findings (spec 5).

What students see of a plan that was held back is what it shows at its own, older commit. Files are
counted as if the base were live in full: what a release of the target would then put and delete.
Of the target only the plans are built that the change can touch. No store is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from exporter.build.bench import Stamps
from exporter.build.builder import build
from exporter.build.inspection import CheckRules, Inspection, inspect
from exporter.content.reading import Content
from exporter.core.addressing import Forms, plain_key
from exporter.core.artifacts import Artifact, Entry, Index
from exporter.core.blocks import heading
from exporter.core.changes import affected_plans, with_neighbours
from exporter.core.diff import DocumentDiff, diff_documents, find_renames
from exporter.core.diff_access import ShownPlan, find_notices
from exporter.core.diff_report import DiffReport, FileCounts, FindingCounts
from exporter.core.findings import Finding
from exporter.core.loading import Loaded
from exporter.core.model import PLAN, Document
from exporter.core.plan_checks import may_hide_content
from exporter.core.steps import Sides, difference
from exporter.core.tree import Snapshot

__all__ = ["NOTHING", "CountPurges", "Side", "changed_paths", "diff_contents"]

CountPurges = Callable[[Mapping[str, int | None]], int]
"""Counts the URLs or prefixes to purge of changed keys; each key comes with its last version."""

NOTHING = Content(Loaded(Snapshot()), lambda _path: "", None)
"""The content before the first release."""


@dataclass(frozen=True, slots=True)
class Side:
    """A content and what people call it."""

    content: Content
    label: str
    behind: Mapping[str, Content] = field(default_factory=dict)
    """Plans of which the live files are of another content; of none where they have no files."""
    is_of_other_settings: bool = False
    """Whether its live files were built by other settings, so that nobody knows them here."""

    @property
    def snapshot(self) -> Snapshot:
        """Return the documents."""
        return self.content.loaded.snapshot

    def plans(self) -> list[tuple[str, Document]]:
        """Return the plans with the paths of their files."""
        return [(self.snapshot.paths[plan.ref], plan) for plan in self.snapshot.of_type(PLAN)]


def diff_contents(
    base: Side,
    target: Side,
    rules: CheckRules,
    holds: Sequence[str] = (),
    count_purges: CountPurges | None = None,
) -> DiffReport:
    """Return everything about a change; `holds` is passed on as it is.

    `count_purges` says how much the CDN would be told to forget, where it is told at all.
    """
    before, after = base.snapshot, target.snapshot
    renames = find_renames(before, after)
    old, new = inspect(base.content, rules), inspect(target.content, rules)
    files, problems = _Builds(base, target, (old, new), rules).count(count_purges)
    found = (*new.findings, *problems)
    held = {*new.held, *new.unread, *(name for one in _errors(problems) for name in one.plans)}
    titles = {plan.name: plan.title for _, plan in (*base.plans(), *target.plans())}
    return DiffReport(
        base.label,
        target.label,
        _readable(diff_documents(before, after, renames), before, new),
        find_notices(
            _without(new.unread, _seen(base, old, rules)),
            _without(new.unread, _shown(new)),
            renames,
        ),
        titles,
        None if base.is_of_other_settings else files,
        _compared(old.findings, found),
        sorted(held),
        holds,
    )


def _seen(base: Side, whole: Inspection, rules: CheckRules) -> Mapping[str, ShownPlan]:
    """Return what students see before the change, also of plans that were held back."""
    seen = dict(_shown(whole))
    for name, content in base.behind.items():
        seen.pop(name, None)
        seen.update(_shown(inspect(content, rules, {name})))
    return seen


def _shown(inspection: Inspection) -> Mapping[str, ShownPlan]:
    return {
        name: ShownPlan(view, heading(inspection.snapshot, view.plan))
        for name, view in inspection.views.items()
    }


def _without(unread: AbstractSet[str], shown: Mapping[str, ShownPlan]) -> Mapping[str, ShownPlan]:
    """Leave out plans that cannot be read in full: held back, they change nothing for students."""
    return {name: plan for name, plan in shown.items() if name not in unread}


def _readable(
    documents: Iterable[DocumentDiff], before: Snapshot, new: Inspection
) -> list[DocumentDiff]:
    """Leave out documents that only seem to be gone: a file of theirs, or above, is unreadable."""
    known = set(new.snapshot.paths.values())
    lost = {one.path: one.code for one in new.findings if may_hide_content(one)}
    lost = {path: code for path, code in lost.items() if path not in known}
    files = {path for path, code in lost.items() if code in ("E101", "E103")}
    folders = tuple(f"{path.rpartition('/')[0]}/" for path in lost if "/_" in path)

    def is_lost(path: str) -> bool:
        return path in files or (path not in lost and path.startswith(folders))

    return [
        one
        for one in documents
        if one.after or one.before is None or not is_lost(before.paths[one.before.ref])
    ]


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [found for found in findings if found.severity == "error"]


def _compared(old: Sequence[Finding], new: Sequence[Finding]) -> FindingCounts:
    """Count findings; the same one at another line or path of the same document is no new one."""
    left = Counter(map(_identity, old))
    fresh = []
    for found in new:
        if left[_identity(found)]:
            left[_identity(found)] -= 1
        else:
            fresh.append(found)
    errors = len(_errors(new))
    return FindingCounts(errors, len(new) - errors, tuple(fresh), left.total())


def _identity(found: Finding) -> object:
    return (found.code, found.ref or found.path, found.pointer, found.message)


@dataclass(slots=True)
class _Made:
    """What was built of one side."""

    plans: dict[str, Index]
    shared: Index
    findings: tuple[Finding, ...] = ()
    files: list[Artifact] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Builds:
    """Both sides, to be built as far as the change reaches."""

    base: Side
    target: Side
    inspections: tuple[Inspection, Inspection]
    rules: CheckRules

    def count(self, purges: CountPurges | None) -> tuple[FileCounts, tuple[Finding, ...]]:
        """Count the files to put and delete; also return what only building the target shows.

        All of the base is built, since any of its plans may show a shared file of the target.
        """
        affected = self._affected()
        if not affected:
            return FileCounts(urls_to_purge=purges({}) if purges else None), ()
        old = self._build(0, self.inspections[0].views.keys(), lambda _key: None)
        live = {**old.shared, **{k: e for index in old.plans.values() for k, e in index.items()}}
        new = self._build(1, affected, Forms(live).newest)
        gone = {name for name in affected & old.plans.keys() if self._is_removed(name)}
        touched = gone | new.plans.keys()
        before = {name: index for name, index in old.plans.items() if name in touched}
        stay = [index for name, index in old.plans.items() if name not in touched]
        hashed = self.rules.rules.hashed
        sides = Sides(before, new.plans, old.shared, new.shared, hashed=hashed)
        delta = difference(new.files, sides, lambda: stay, {})
        stood = {plain_key(key) for key in live} if hashed else live
        changed = sum((plain_key(key) if hashed else key) in stood for key in delta.put)
        size = sum(one.entry.size for one in delta.put.values())
        put = delta.put.keys() - delta.unseen
        forgotten = {key: _version(delta.before.get(key)) for key in delta.put if key in put}
        forgotten |= {key: entry.version for key, entry in delta.delete.items()}
        counts = FileCounts(
            len(delta.put) - changed,
            changed,
            size,
            len(delta.delete),
            purges(forgotten) if purges else None,
        )
        return counts, new.findings

    def _affected(self) -> set[str]:
        before, after = self.base.snapshot, self.target.snapshot
        plans = [*self.base.plans(), *self.target.plans()]
        affected = affected_plans(set(changed_paths(before, after)), plans)
        if self.rules.rules.monolithic:
            affected = with_neighbours(affected, [plan for _, plan in plans])
        return affected

    def _is_removed(self, plan: str) -> bool:
        found = self.target.snapshot.find(PLAN, plan)
        path = self.base.snapshot.paths[PLAN, plan]
        is_published = found is not None and found.flag("is_published")
        return not is_published and path not in self.target.content.loaded.broken_plans

    def _build(
        self, side: int, plans: AbstractSet[str], live: Callable[[str], Entry | None]
    ) -> _Made:
        """Build some plans of the base (0) or the target (1)."""
        whole = self.inspections[side]
        chosen = {name: view for name, view in whole.views.items() if name in plans}
        others = [view for view in whole.buildable if view.plan.name not in plans]
        beside = tuple(others) if self.rules.rules.monolithic else ()
        inspection = replace(whole, views=chosen, neighbours=beside)
        files: list[Artifact] = []
        stamps = Stamps(live, _TIME + side)
        rules = self.rules
        sink = files.append if side else _nowhere
        built = build(inspection, rules, stamps, sink)
        return _Made(built.plans, built.lessons, built.findings, files)


def _version(entry: Entry | None) -> int | None:
    return entry.version if entry else None


_TIME = 1_700_000_000
"""Any version: only its length counts, and that the target's is another."""


def _nowhere(_artifact: Artifact) -> None:
    """Take a file and forget it."""


def changed_paths(before: Snapshot, after: Snapshot) -> Iterable[str]:
    """Yield the paths of the documents that differ, or stand elsewhere, on both sides."""
    for ref in {*before.documents, *after.documents}:
        sides = ((one.paths.get(ref), one.documents.get(ref)) for one in (before, after))
        (old_path, old), (new_path, new) = sides
        if (old_path, old) != (new_path, new):
            yield from (path for path in (old_path, new_path) if path)
