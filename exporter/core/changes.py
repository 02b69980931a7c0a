"""What changed between two snapshots, in people's words, and whom it touches (spec 2, spec 5).

Everything here works on paths and on the few documents that differ, so its cost is that of the
change. A document whose folder was moved along with its parent is not a change of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.core.access import listed_subjects
from exporter.core.model import (
    CURRICULUM,
    DOCTYPES,
    GRADE,
    LESSON,
    SEASON,
    STREAM,
    SUBJECT,
    Document,
)
from exporter.core.segments import is_clash_form, segment
from exporter.core.tree import ORPHANS, place_of

__all__ = [
    "Change",
    "ChangeKind",
    "affected_plans",
    "ancestor_paths",
    "changes_between",
    "clashing_types",
    "commit_message",
    "plans_trailer",
    "subject_path",
    "with_neighbours",
]

LISTED = 50
"""Documents that a commit message names, and plans that its trailer names at most."""
LISTED_PLANS = 20


class ChangeKind(Enum):
    """What happened to a document; the value is the verb."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Change:
    """One document's change; at least one of `before` and `after` is there, with its path."""

    kind: ChangeKind
    path: str
    before: Document | None
    after: Document | None
    path_before: str = ""

    @property
    def document(self) -> Document:
        """Return the document as it is now, or as it was."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change has a document")
        return found


def changes_between(
    before: Mapping[str, Document], after: Mapping[str, Document]
) -> tuple[Change, ...]:
    """Return the changes of documents, given those at paths that differ, by path."""
    gone = {document.ref: path for path, document in before.items()}
    come = {document.ref: path for path, document in after.items()}
    found = [_change(gone.get(ref), come.get(ref), before, after) for ref in gone | come]
    return tuple(sorted((change for change in found if change), key=_importance))


def ancestor_paths(path: str) -> Iterator[str]:
    """Yield the files of a document's ancestors, from its parent upwards."""
    place = place_of(path)
    while place and place.parent_path:
        yield place.parent_path
        place = place_of(place.parent_path)


def subject_path(path: str) -> str:
    """Return the file of the subject that a path is at or below; empty where there is none."""
    top, _, below = path.partition("/")
    subject = DOCTYPES[SUBJECT]
    return f"{top}/{below.partition('/')[0]}/{subject.index_file}" if top == subject.folder else ""


def affected_plans(changed: Iterable[str], plans: Iterable[tuple[str, Document]]) -> set[str]:
    """Return the plans that changed paths touch (spec 5, "What has to be built").

    `plans` holds every plan of either side with the path of its file. A subject's folder is
    matched loosely where names clash: a plan too many costs time, one too few a stale page.
    """
    paths = set(changed)
    folders = {path.split("/", 2)[1].casefold() for path in paths if path.startswith("subjects/")}
    return {plan.name for path, plan in plans if path in paths or _touches(plan, paths, folders)}


def with_neighbours(affected: Iterable[str], plans: Iterable[Document]) -> set[str]:
    """Return plans and those with which they share a subject (layout `monolithic`, spec 4).

    `plans` holds every plan of either side. A shared unit shows what at least one sound published
    plan shows, so a plan's own change, or its being held back, may change what others link to.
    """
    names = set(affected)
    listed = [(plan.name, set(listed_subjects(plan))) for plan in plans]
    subjects = {subject for name, own in listed if name in names for subject in own}
    return names | {name for name, own in listed if not own.isdisjoint(subjects)}


def clashing_types(paths: Iterable[str]) -> set[str]:
    """Return the DocTypes of the curriculum of which two documents may go by one name.

    Which of two lessons, or units, takes another key (`E107`) depends on what all plans show. What
    only an orphan clashes with is `ORPHANS`: it has no key.
    """
    seen: dict[tuple[str, str], bool] = {}
    found: set[str] = set()
    for path in paths:
        doctype, written = _named(path)
        own, is_orphan = (doctype, written.casefold()), path.startswith(_ORPHANS_FOLDER)
        before = seen.get(own) if doctype else None
        if before is not None:
            found.add(ORPHANS if before or is_orphan else doctype)
        elif "~" in written and is_clash_form(written):
            found.add(ORPHANS if is_orphan else doctype)
        seen[own] = is_orphan and before is not False
    return found


_ORPHANS_FOLDER = f"{ORPHANS}/"


def _named(path: str) -> tuple[str, str]:
    """Return the DocType and segment that a path names, empty for others; this sees every path."""
    above, _, last = path.rpartition("/")
    level = above.count("/")
    if above.startswith(f"{ORPHANS}/"):
        return above.removeprefix(f"{ORPHANS}/"), last.removesuffix(".yaml")
    if not above.startswith("subjects/") or level >= len(CURRICULUM):
        return "", ""
    if last.startswith("_"):
        return CURRICULUM[level - 1], above.rpartition("/")[2]
    return (LESSON, last.removesuffix(".yaml")) if level == len(CURRICULUM) - 1 else ("", "")


def commit_message(
    changes: Sequence[Change],
    title_of: Callable[[str], str],
    trailers: Iterable[tuple[str, str]],
) -> str:
    """Return the message of a snapshot's commit: summary, a line a document, trailers.

    `title_of` gives the title of the document at a path, for breadcrumbs.
    """
    crumbs = {change.path: _crumbs(change, title_of) for change in changes[:LISTED]}
    subjects = dict.fromkeys(_subject_title(change, title_of) for change in changes)
    lines = [_summary(changes, [title for title in subjects if title]), ""]
    lines += [_line(change, crumbs[change.path]) for change in changes[:LISTED]]
    if len(changes) > LISTED:
        lines.append(f"… and {len(changes) - LISTED} more")
    lines += ["", *(f"{key}: {value}" for key, value in trailers)]
    return "\n".join(lines) + "\n"


def plans_trailer(plans: Iterable[str]) -> str:
    """Return the value of `Exporter-Plans`: the first 20 names, on one line."""
    names = sorted(plans)
    shown = ", ".join(_one_line(name) for name in names[:LISTED_PLANS])
    return shown + (f", … {len(names) - LISTED_PLANS} more" if len(names) > LISTED_PLANS else "")


def _change(
    old: str | None,
    new: str | None,
    before: Mapping[str, Document],
    after: Mapping[str, Document],
) -> Change | None:
    if old is None or new is None:
        kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED
        path = new or old or ""
        return Change(
            kind, path, before.get(path) if old else None, after.get(path) if new else None
        )
    was, now = before[old], after[new]
    if _parent_segment(old) != _parent_segment(new):
        return Change(ChangeKind.MOVED, new, was, now, old)
    same = _content(was) == _content(now)
    return None if same else Change(ChangeKind.CHANGED, new, was, now, old)


def _content(document: Document) -> tuple[object, ...]:
    link = document.type.parent_field
    fields = {key: value for key, value in document.fields.items() if key != link}
    return (fields, document.rows)


def _parent_segment(path: str) -> str:
    place = place_of(path)
    if place is None or place.orphan:
        return path.split("/", maxsplit=1)[0]
    above = place_of(place.parent_path) if place.parent_path else None
    return above.segment if above else ""


def _importance(change: Change) -> tuple[int, str]:
    order = list(DOCTYPES)
    return (order.index(change.document.doctype), change.path)


def _touches(plan: Document, paths: set[str], folders: set[str]) -> bool:
    links = ((SEASON, "season"), (GRADE, "grade"), (STREAM, "stream"))
    for doctype, field in links:
        if f"{DOCTYPES[doctype].folder}/{segment(plan.text(field))}.yaml" in paths:
            return True
    for row in plan.rows.get("subjects", ()):
        own = segment(str(row.get("subject", ""))).casefold()
        if any(folder == own or folder.startswith(f"{own[:150]}~") for folder in folders):
            return True
    return False


def _summary(changes: Sequence[Change], subjects: Sequence[str]) -> str:
    counts = Counter((change.document.doctype, change.kind) for change in changes)
    words = [
        f"{count} {_noun(doctype, count)} {kind.value}"
        for (doctype, kind), count in sorted(counts.items(), key=_loudest)
    ]
    where = ", ".join(subjects[:3]) + (", …" if len(subjects) > 3 else "")
    return f"content: {', '.join(words)}" + (f" ({where})" if where else "")


def _noun(doctype: str, count: int) -> str:
    return DOCTYPES[doctype].label if count == 1 else DOCTYPES[doctype].plural


def _loudest(item: tuple[tuple[str, ChangeKind], int]) -> tuple[int, int, int]:
    (doctype, kind), _count = item
    return (-list(DOCTYPES).index(doctype), list(ChangeKind).index(kind), 0)


def _line(change: Change, crumbs: Sequence[str]) -> str:
    document = change.document
    where = " › ".join(crumbs)
    what = f'{document.type.label} "{_one_line(document.title)}" ({_one_line(document.name)})'
    line = f"{change.kind.value} {what}"
    return f"{line} in {where}" if where else line


def _crumbs(change: Change, title_of: Callable[[str], str]) -> list[str]:
    return [_one_line(title_of(path)) for path in reversed(list(ancestor_paths(change.path)))]


def _subject_title(change: Change, title_of: Callable[[str], str]) -> str:
    if change.document.doctype == SUBJECT:
        return _one_line(change.document.title)
    path = subject_path(change.path)
    return _one_line(title_of(path)) if path else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
