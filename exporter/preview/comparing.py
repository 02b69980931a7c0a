"""What students would notice of a change, as marks in the page's tree and lessons side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from exporter.build.diffing import changed_paths
from exporter.core.access import Node
from exporter.core.changes import affected_plans
from exporter.core.diff import find_renames
from exporter.core.diff_access import (
    ACCESS_SIGNS,
    Notice,
    Noticed,
    ShownPlan,
    Sign,
    Terms,
    find_notices,
)
from exporter.core.diff_lines import Block, Bounds, Span
from exporter.core.diff_report import DiffReport
from exporter.core.diff_sentences import sections
from exporter.core.model import CURRICULUM, DOCTYPES, LESSON, PLAN, Ref
from exporter.core.segments import object_url
from exporter.core.side_by_side import Lined, side_by_side
from exporter.preview.edition import Edition

__all__ = ["Comparison", "node_key"]

Report = dict[str, Any]

_ADDED = frozenset((Sign.NEW, Sign.PLAN_NEW))
_REMOVED = frozenset((Sign.GONE, Sign.PLAN_GONE))
_TOLD = Bounds(details=0, names=12, characters=240, context=6)


def node_key(ref: Ref) -> str:
    """Return how the page names a document: `lesson/LESSON-MATH-001`."""
    return f"{DOCTYPES[ref[0]].label}/{ref[1]}"


@dataclass(frozen=True)
class Comparison:
    """The change from what `before` shows to what `after` shows.

    `behind` holds plans of which students still see another edition.
    """

    before: Edition
    after: Edition
    label: str
    behind: Mapping[str, Edition]

    @cached_property
    def summary(self) -> Report:
        """Return the whole change in sentences, access first."""
        report = DiffReport(self.label, "", (), self._notices, self._titles())
        access, others, *_ = sections(report, _TOLD)
        notices = ((access, report.access), (others, report.otherwise))
        told = [
            [self._told(block, notice) for block, notice in zip(section.blocks, of, strict=True)]
            for section, of in notices
        ]
        return {"before": self.label, "access": told[0], "others": told[1]}

    def file(self, path: str) -> Report | None:
        """Return what is compared under a path: `plans/PLAN.json` or a lesson's key."""
        if path.startswith("lessons/"):
            return self.lesson(path)
        plan = self._folders.get(path.removesuffix(".json"))
        return self.plan(plan) if plan and path.endswith(".json") else None

    def plan(self, name: str) -> Report:
        """Return the marks of a plan's tree, their counts above them, and what is gone from it."""
        new = self.after.shown(name)
        old = new if name in self._unread else self._old(name).shown(name)
        marks = _marks(find_notices(_known({name: old}), _known({name: new}), self._renames))
        trees = [shown.view.subjects if shown else () for shown in (old, new)]
        below: dict[str, Counter[str]] = {}
        for tree, kinds in zip(trees, (_OF_OLD, _OF_NEW), strict=True):
            _count_below(tree, (), _Counting(marks, kinds, below))
        gone = list(self._gone(trees[0], None, marks))
        return {"marks": marks, "below": below, "gone": gone}

    def lesson(self, key: str) -> Report | None:
        """Return a lesson on both sides by its key; None where neither side has it."""
        before, after = self.before.lesson_body(key), self.after.lesson_body(key)
        if before is None and after is None:
            return None
        return {"before": before, "after": after, **_lined(side_by_side(before or {}, after or {}))}

    def files(self) -> Iterator[tuple[str, Report]]:
        """Yield all that is compared, by path: every plan, and the lessons that show a change."""
        lessons: set[str] = set()
        for folder, plan in self._folders.items():
            report = self.plan(plan)
            yield f"{folder}.json", report
            lessons |= {key for key, mark in report["marks"].items() if _needs_both(key, mark)}
        for name in sorted(key.removeprefix(_LESSON) for key in lessons):
            is_there = (LESSON, name) in self.after.snapshot.documents
            path = (self.after if is_there else self.before).lesson_key(name)
            if report_of := self.lesson(path):
                yield path, report_of

    @cached_property
    def _notices(self) -> tuple[Notice, ...]:
        """Return what students notice in the plans that the change can touch."""
        old, new = self.before.snapshot, self.after.snapshot
        plans = [(one.paths[plan.ref], plan) for one in (old, new) for plan in one.of_type(PLAN)]
        touched = affected_plans(set(changed_paths(old, new)), plans) | self.behind.keys()
        touched -= self._unread
        before = {name: self._old(name).shown(name) for name in touched}
        after = {name: self.after.shown(name) for name in touched}
        return find_notices(_known(before), _known(after), self._renames)

    @cached_property
    def _unread(self) -> frozenset[str]:
        """Return plans that cannot be read in full: held back, they change nothing for students."""
        return self.after.inspection.unread

    @cached_property
    def _folders(self) -> dict[str, str]:
        sides = (self.before, self.after)
        return {one.folder(plan.name): plan.name for one in sides for plan in one.plans}

    @cached_property
    def _renames(self) -> Mapping[Ref, Ref]:
        return find_renames(self.before.snapshot, self.after.snapshot)

    def _old(self, plan: str) -> Edition:
        return self.behind.get(plan, self.before)

    def _titles(self) -> dict[str, str]:
        return {plan.name: plan.title for one in (self.before, self.after) for plan in one.plans}

    def _gone(
        self, nodes: Sequence[Node], parent: str | None, marks: Mapping[str, Report]
    ) -> Iterator[Report]:
        """Yield the topmost nodes that are gone, with where they were and all that went along."""
        last: str | None = None
        for node in nodes:
            key = node_key(node.document.ref)
            if _is(marks.get(key), "removed"):
                yield {"parent": parent, "after": last, **self._gone_node(node, marks)}
            else:
                yield from self._gone(node.children, key, marks)
            last = key

    def _gone_node(self, node: Node, marks: Mapping[str, Report]) -> Report:
        key = node_key(node.document.ref)
        is_lesson = node.document.doctype == LESSON
        below = (
            one for one in node.children if _is(marks.get(node_key(one.document.ref)), "removed")
        )
        return {
            "key": key,
            "title": node.title,
            "access": _terms(Terms.of(node.access)),
            "file": object_url(self.before.lesson_key(node.name)) if is_lesson else None,
            "children": [self._gone_node(child, marks) for child in below],
        }

    def _told(self, block: Block, notice: Notice) -> Report:
        """Return a sentence as spans of [style, text], with the path that it leads to."""
        ref = notice.nodes[0].ref if len(notice.nodes) == 1 else notice.top
        is_there = ref in self.after.snapshot.documents
        return {
            "kind": _kind(notice.sign),
            "lines": [[_span(span) for span in line] for line in (block.line, *block.below)],
            "plans": list(notice.plans),
            "path": (self.after if is_there else self.before).path(ref),
        }


_LESSON = f"{DOCTYPES[LESSON].label}/"


def _needs_both(key: str, mark: Report) -> bool:
    """Tell whether the page of a node shows it on both sides, or as it was."""
    return key.startswith(_LESSON) and not {"changed", "removed"}.isdisjoint(mark["kinds"])


def _known(shown: Mapping[str, ShownPlan | None]) -> dict[str, ShownPlan]:
    return {name: plan for name, plan in shown.items() if plan}


# Marks


def _marks(notices: Iterable[Notice]) -> dict[str, Report]:
    """Return what is noticed of each node, by its key."""
    marks: dict[str, Report] = {}
    for notice in notices:
        for node in notice.nodes:
            if node.ref[0] in CURRICULUM:
                mark = marks.setdefault(node_key(node.ref), {"kinds": [], "signs": []})
                mark["signs"].append(notice.sign.value)
                if (kind := _kind(notice.sign)) not in mark["kinds"]:
                    mark["kinds"].append(kind)
                mark.update(_sides(notice.sign, node))
    return marks


def _kind(sign: Sign) -> str:
    if sign in _ADDED:
        return "added"
    if sign in _REMOVED:
        return "removed"
    return "access" if sign in ACCESS_SIGNS else "changed"


def _sides(sign: Sign, node: Noticed) -> Report:
    """Return what a node was before, as far as a notice of that sign is about it."""
    if sign is Sign.TITLE:
        return {"title_before": node.title_before}
    if _kind(sign) == "access" and node.terms_before:
        return {"access_before": _terms(node.terms_before)}
    return {}


def _terms(terms: Terms) -> Report:
    named = asdict(terms)
    return {"access_level": named.pop("level"), **named}


_OF_OLD = frozenset(("removed",))
_OF_NEW = frozenset(("added", "access", "changed"))


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts the marks of some kinds below each node; what came or went as a whole counts once."""

    marks: Mapping[str, Report]
    kinds: frozenset[str]
    below: dict[str, Counter[str]]


def _count_below(nodes: Sequence[Node], above: tuple[str, ...], counting: _Counting) -> None:
    for node in nodes:
        key = node_key(node.document.ref)
        mark = counting.marks.get(key)
        for kind in mark["kinds"] if mark else ():
            is_whole = kind in ("added", "removed") and _is(
                counting.marks.get(above[-1] if above else ""), kind
            )
            if kind in counting.kinds and not is_whole:
                for one in above:
                    counting.below.setdefault(one, Counter())[kind] += 1
        _count_below(node.children, (*above, key), counting)


def _is(mark: Report | None, kind: str) -> bool:
    return mark is not None and kind in mark["kinds"]


# JSON


def _lined(lined: Lined) -> Report:
    sides = {"left": lined.left, "right": lined.right}
    return {
        "pairs": [list(pair) for pair in lined.pairs],
        **{
            side: {at: [[piece.op, piece.text] for piece in pieces] for at, pieces in marks.items()}
            for side, marks in sides.items()
        },
    }


def _span(span: Span) -> list[str]:
    text = span.text or "".join(piece.text for piece in span.pieces)
    return [span.style, text]
