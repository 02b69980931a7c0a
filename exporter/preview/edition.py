"""One content as students would see it: its published files, each made when it is asked for.

The bytes are those of `exporter build` of the same content. Without a live release every version is
the commit's time, so a link is known before the file that it leads to is made, and opening a plan
of thousands of lessons makes just the files that are read. The layout is `atomic`, whatever is
configured besides. A plan that errors hold back has files here too: its page says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import RLock

from exporter.build.encoding import encode, with_stamp
from exporter.build.inspection import CheckRules, Inspection, inspect, shared_keys
from exporter.content.reading import Content
from exporter.core import atomic
from exporter.core.access import PlanView, view_plan
from exporter.core.artifacts import Body, Draft, url_of
from exporter.core.atomic import PlanFiles
from exporter.core.blocks import heading
from exporter.core.diff_access import ShownPlan
from exporter.core.keys import PlanKeys, SharedKeys, plan_folder, plan_keys
from exporter.core.model import CURRICULUM, LESSON, PLAN, Document, Ref
from exporter.core.search import shards_of
from exporter.core.tree import Snapshot

__all__ = ["Edition"]

_OPEN_PLANS = 6
"""Plans of which the tree is kept in memory; the others are made anew when they are opened."""


@dataclass(frozen=True, slots=True)
class _OpenPlan:
    """A published plan of which files are read."""

    view: PlanView
    files: PlanFiles
    drafts: Mapping[str, Draft]
    """By key; those of the search stand apart, since cutting them looks at every lesson."""
    search: Callable[[], Mapping[str, Draft]]


class Edition:
    """A content with the rules that it is built by; safe to read from several threads."""

    def __init__(self, content: Content, rules: CheckRules, time: int) -> None:
        """Take a content and the version, in Unix seconds, that all of its files have."""
        self.content = content
        self.time = time
        self._rules = replace(
            rules, rules=replace(rules.rules, layouts=("atomic",), addressing="stable")
        )
        self._lock = RLock()
        self._open = lru_cache(maxsize=_OPEN_PLANS)(self._opened)

    @property
    def snapshot(self) -> Snapshot:
        """Return the documents."""
        return self.content.loaded.snapshot

    @cached_property
    def plans(self) -> tuple[Document, ...]:
        """Return all plans, also those that are not published."""
        return self.snapshot.of_type(PLAN)

    def folder(self, plan: str) -> str:
        """Return the folder of a plan's files."""
        return plan_folder(self.snapshot, plan)

    def shown(self, plan: str) -> ShownPlan | None:
        """Return what students see of a plan; None where there is no such published plan."""
        opened = self._plan(plan)
        if opened is None:
            return None
        return ShownPlan(opened.view, heading(self.snapshot, opened.view.plan))

    def lesson_body(self, key: str) -> Body | None:
        """Return the lesson of which a key is the file's, whoever shows it; None for no lesson."""
        lesson = self.lesson_of(key)
        return atomic.lesson_body(lesson, self._rules.rules) if lesson else None

    def path(self, ref: Ref | None) -> list[str]:
        """Return the names from the subject down to a node; none for what is no node of a tree."""
        document = self.snapshot.documents.get(ref) if ref else None
        if document is None or document.doctype not in CURRICULUM:
            return []
        return [above.name for above in self.snapshot.lineage(document)]

    def lesson_key(self, lesson: str) -> str:
        """Return the key of a lesson's file, whoever shows it."""
        return self._lessons.key(lesson)

    def lesson_of(self, key: str) -> Document | None:
        """Return the lesson of which a key is the file's, whoever shows it."""
        return self.snapshot.find(LESSON, self._lesson_names.get(key, ""))

    def file(self, key: str) -> bytes | None:
        """Return the bytes of a published file; None where a release would not have it."""
        with self._lock:
            draft = self._lesson(key) if key.startswith("lessons/") else self._of_plan(key)
        return self._made(draft) if draft else None

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield all files by key, plan by plan, and then the lessons."""
        for plan in self.plans:
            if opened := self._plan(plan.name):
                drafts = {**opened.drafts, **opened.search()}
                yield from ((key, self._made(draft)) for key, draft in drafts.items())
        for key in sorted(self._lessons.key(name) for _, name in self._shown):
            if draft := self._lesson(key):
                yield key, self._made(draft)

    @cached_property
    def inspection(self) -> Inspection:
        """Return every finding, and the plans that errors hold back."""
        return inspect(self.content, self._rules)

    def _made(self, draft: Draft) -> bytes:
        return encode(with_stamp(draft.make(self._link), self.time))

    def _link(self, key: str, *, versioned: bool = True) -> str:
        return url_of(key, self.time if versioned else None, self._rules.rules)

    def _plan(self, name: str) -> _OpenPlan | None:
        with self._lock:
            plan = self.snapshot.find(PLAN, name)
            return self._open(name) if plan and plan.flag("is_published") else None

    def _opened(self, name: str) -> _OpenPlan:
        plan, rules = self.snapshot.documents[PLAN, name], self._rules.rules
        view = view_plan(self.snapshot, plan, rules.default_access)
        keys: PlanKeys = plan_keys(self.snapshot, view)
        files = PlanFiles(self.snapshot, view, keys, self._lessons, rules)
        drafts = (
            *atomic.topic_drafts(files),
            *atomic.bitmap_drafts(files),
            *atomic.hierarchy_drafts(files),
            atomic.manifest_draft(files),
        )
        search = lru_cache(maxsize=1)(lambda: _search_drafts(files))
        return _OpenPlan(view, files, {draft.key: draft for draft in drafts}, search)

    def _of_plan(self, key: str) -> Draft | None:
        plan = self._folders.get("/".join(key.split("/")[:2]))
        opened = self._plan(plan) if plan else None
        if opened is None:
            return None
        known = opened.drafts.get(key)
        is_search = key.split("/")[2].startswith("search")
        return known or (opened.search().get(key) if is_search else None)

    def _lesson(self, key: str) -> Draft | None:
        lesson = self.lesson_of(key)
        if lesson is None or lesson.ref not in self._shown:
            return None
        return atomic.lesson_draft(lesson, self._lessons, self._rules.rules)

    @cached_property
    def _folders(self) -> dict[str, str]:
        return {self.folder(plan.name): plan.name for plan in self.plans}

    @cached_property
    def _lessons(self) -> SharedKeys:
        return shared_keys(self.snapshot, self._rules.rules)[0]

    @cached_property
    def _lesson_names(self) -> dict[str, str]:
        names = (name for doctype, name in self.snapshot.documents if doctype == LESSON)
        return {self._lessons.key(name): name for name in names}

    @cached_property
    def _shown(self) -> frozenset[tuple[str, str]]:
        """Return the lessons that published plans show."""
        shown: set[tuple[str, str]] = set()
        for plan in self.plans:
            if opened := self._plan(plan.name):
                tops = opened.view.subjects
                shown |= {node.document.ref for top in tops for node in top.lessons()}
        return frozenset(shown)


def _search_drafts(files: PlanFiles) -> dict[str, Draft]:
    shards = shards_of(files.view)
    drafts = (*atomic.shard_drafts(files, shards), atomic.search_index_draft(files, shards))
    return {draft.key: draft for draft in drafts}
