"""Making one published file: its body encoded, versioned, and checked against its schema (spec 4).

A bench belongs to one chunk of work, wherever that is done: it knows the versions of what was made
before, and collects what is wrong with what it makes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporter.build.encoding import encode, stamped, with_stamp
from exporter.build.inspection import CheckRules, Inspection
from exporter.build.schemas import validator
from exporter.core.addressing import hashed_key, plain_key
from exporter.core.artifacts import (
    Artifact,
    Draft,
    Entry,
    Index,
    Kind,
    Rules,
    next_version,
    url_of,
)
from exporter.core.checks import breadcrumb
from exporter.core.findings import Finding, Pointer
from exporter.core.model import LESSON, PLAN, Document, Ref
from exporter.core.search import Entries

__all__ = ["Bench", "Order", "Problem", "Sink", "Stamps", "nothing_live", "targets_of"]

LARGE_FILE_BYTES = 10_000_000

Sink = Callable[[Artifact], object]
"""Takes each file where it is made, in a worker if there are some; the builder keeps no bytes."""


def nothing_live(_key: str) -> None:
    """Say that nothing is live under any key."""


def _not_standing(_key: str, _digest: str) -> None:
    """Say that no form of any file stands."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """What versions are decided from: the live files, and the commit's time in Unix seconds."""

    live: Callable[[str], Entry | None]
    commit_time: int
    written: Callable[[str], tuple[str, int] | None] = nothing_live
    """Digest and version of what else may have stood under a key, as of a publish that died."""
    known: Callable[[str, str], int | None] = _not_standing
    """Version of a form that stands already, by draft's key and body digest (`hashed`)."""

    def version(self, key: str, digest: str) -> int:
        """Return the version of a file with that body digest (spec 4).

        No version is given twice for one key unless the content is the same, since a cache may
        hold what a publish that died has put.
        """
        if (known := self.known(key, digest)) is not None:
            return known
        live, written = self.live(key), self.written(key)
        version = next_version(digest, live, self.commit_time)
        if written is None or (live and live.digest == digest):
            return version
        return written[1] if written[0] == digest else max(version, written[1] + 1)


Targets = Mapping[str, tuple[str, int]]
"""What links can lead to, by draft's key: the file's own key and version."""


def targets_of(index: Index, rules: Rules) -> dict[str, tuple[str, int]]:
    """Return files that are there as what links can lead to."""
    plain = plain_key if rules.hashed else str
    return {plain(key): (key, entry.version) for key, entry in index.items()}


@dataclass(frozen=True, slots=True)
class Order:
    """What every bench works by: fit for pickling where the sink and the stamps are."""

    inspection: Inspection
    rules: CheckRules
    stamps: Stamps
    sink: Sink
    showing: Mapping[Ref, tuple[str, ...]]
    """The plans to be built that show each document."""
    shared: Targets = field(default_factory=dict)
    """The sound shared files, once they are made."""
    forms: dict[tuple[object, ...], _Form] = field(default_factory=dict)
    """What was made already of drafts that are alike; each process has its own."""
    entries: Entries = field(default_factory=Entries)
    sound: dict[int, bool] = field(default_factory=dict)
    """Of subjects, by identity, whether all shared files that they lead to are there."""


@dataclass(slots=True)
class _Form:
    """A file as it was asked for last, at first with its stamp blank: in one copy, not in two."""

    digest: str
    data: bytes
    links: tuple[str, ...]
    lessons: int
    problems: tuple[Problem, ...]
    version: int | None = None

    def at(self, version: int) -> bytes:
        """Return the file with a version: the same object as long as that is the same."""
        if version != self.version:
            self.data, self.version = stamped(self.data, version, self.version), version
        return self.data


class Bench:
    """Where the files of a chunk are made: it knows their versions, and collects findings."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.made: dict[str, tuple[str, int]] = {}
        """What links can lead to beside the shared files."""
        self.findings: list[Finding] = []

    def add(self, index: Index) -> None:
        """Let files that are there already be linked to."""
        self.made.update(targets_of(index, self.order.rules.rules))

    def make(self, draft: Draft, plan: str | None) -> tuple[Artifact, Sequence[Problem]]:
        """Return a draft's file, with the problems that it shows."""
        form = self._form(draft)
        version = self.order.stamps.version(draft.key, form.digest)
        data = form.at(version)
        hashed = self.order.rules.rules.hashed and draft.kind is not Kind.MANIFEST
        key = hashed_key(draft.key, data) if hashed else draft.key
        self.made[draft.key] = (key, version)
        entry = Entry(form.digest, len(data), version, form.links, form.lessons)
        return Artifact(key, draft.kind, plan, entry, data), form.problems

    def _form(self, draft: Draft) -> _Form:
        """Return a draft's file but for its version; what several plans show is made once."""
        known = self.order.forms.get(draft.shown) if draft.shown else None
        if known:
            return known
        links: list[str] = []
        rules, shared = self.order.rules.rules, self.order.shared

        def link(key: str, *, versioned: bool = True) -> str:
            target = (self.made.get(key) or shared[key]) if versioned else (key, None)
            final, version = target
            links.append(final)
            return url_of(final, version, rules)

        payload = draft.make(link)
        data = encode(payload)
        time = self.order.stamps.commit_time
        problems = tuple(_problems(draft, with_stamp(payload, time), len(stamped(data, time))))
        listed = payload.get("entries") if draft.kind is Kind.SEARCH_SHARD else None
        lessons = len(listed) if isinstance(listed, list) else 0
        digest = hashlib.sha256(data).hexdigest()
        form = _Form(digest, data, tuple(links), lessons, problems)
        if draft.shown and not problems:
            self.order.forms[draft.shown] = form
        return form

    def problems(self, draft: Draft) -> list[Problem]:
        """Return what is wrong with a file that links to nothing, without making it."""
        payload = with_stamp(draft.make(_no_link), self.order.stamps.commit_time)
        return list(_problems(draft, payload, len(encode(payload))))

    def is_error(self, problem: Problem) -> bool:
        """Tell whether a problem holds back what shows it."""
        return self.order.rules.severities.of(problem.code) == "error"

    def report(
        self, document: Document, problems: Sequence[Problem], plans: tuple[str, ...]
    ) -> bool:
        """Record problems at a document; tell whether one of them is an error."""
        severity = self.order.rules.severities.of
        found = [_finding(self.order.inspection, document, one, plans) for one in problems]
        known = [replace(one, severity=severity(one.code)) for one in found]
        self.findings += [finding for finding in known if plans and finding.severity != "off"]
        return any(finding.severity == "error" for finding in known)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file that was made; `pointer` is the place in the file."""

    code: str
    message: str
    pointer: Pointer = ()


def _problems(draft: Draft, payload: object, size: int) -> Iterator[Problem]:
    for found in validator(draft.schema)(payload):
        message = f"{draft.key}: {_where(found.pointer)}{found.message}"
        yield Problem("E112", message, found.pointer)
    if size > LARGE_FILE_BYTES:
        yield Problem("W204", f"{draft.key} has {size:,} bytes")


def _no_link(key: str, *, versioned: bool = True) -> str:  # noqa: ARG001 - a Link
    raise ValueError(f"a lesson links to nothing, not to {key}")


def _where(pointer: Pointer) -> str:
    return "/".join(map(str, pointer)) + ": " if pointer else ""


def _finding(
    inspection: Inspection, document: Document, problem: Problem, plans: tuple[str, ...]
) -> Finding:
    is_plan, is_lesson = document.doctype == PLAN, document.doctype == LESSON
    hint = f"correct the {'document that the message names' if is_plan else 'field'} in Frappe"
    return Finding(
        problem.code,
        inspection.snapshot.paths[document.ref],
        problem.message,
        hint,
        problem.pointer if is_lesson else (),  # a lesson's file has the places of its snapshot file
        line=0 if is_lesson else 1,
        ref=document.ref,
        anchors=(document.ref,),
        breadcrumb=breadcrumb(inspection.snapshot, document),
        plans=plans,
    )
