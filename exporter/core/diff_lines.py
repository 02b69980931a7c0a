"""A report in sentences, whatever shows them: terminal, pull request (spec 5, `diff`).

A line is made of spans: our own words, and content, which is never trusted and which the renderers
escape. What is alike stands in one line; long lists and texts are cut unless all is asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.core.diff import DocumentDiff, Kind
from exporter.core.diff_report import DiffReport
from exporter.core.diff_values import Detail, Effect, ItemName
from exporter.core.diff_words import Piece, excerpt
from exporter.core.model import DOCTYPES, Json

__all__ = [
    "BRIEF",
    "WHOLE",
    "Block",
    "Bounds",
    "Line",
    "Span",
    "count_of",
    "crumbs",
    "document_blocks",
    "joined",
    "listed",
    "say",
    "tally",
    "titled",
]

Style = Literal["plain", "strong", "title", "code", "value"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a line. All but `plain` and `strong` is content; a `value` is its pieces."""

    style: Style
    text: str = ""
    pieces: tuple[Piece, ...] = ()


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A line and what explains it; `documents` and `weight` count what it tells of."""

    sign: str
    line: Line
    below: tuple[Line, ...] = ()
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is told: details a document, names a list, characters a value, words around."""

    details: int
    names: int
    characters: int
    context: int


BRIEF = Bounds(details=12, names=8, characters=240, context=6)
WHOLE = Bounds(details=10**9, names=10**9, characters=10**9, context=12)

_SIGNS = {
    Kind.ADDED: "➕",
    Kind.REMOVED: "➖",
    Kind.RENAMED: "🪪",
    Kind.MOVED: "📦",
    Kind.CHANGED: "✏️",
}
MAX_TITLE = 140
"""Characters of a title or name; what is longer stands in full among the fields."""
_ALIKE = 3
"""So many documents with the same changes are told as one."""


def say(text: str, style: Style = "plain") -> Span:
    """Return a span."""
    return Span(style, text)


def titled(text: str) -> Span:
    """Return a title, on one line and cut where it is longer than Frappe lets one be."""
    return Span("title", _cut(" ".join(text.split()), MAX_TITLE))


def crumbs(titles: Sequence[str]) -> Line:
    """Return titles as a breadcrumb."""
    return joined([(titled(title),) for title in titles], " › ")


def joined(lines: Sequence[Line], between: str) -> Line:
    """Return lines as one."""
    spans: list[Span] = []
    for place, line in enumerate(lines):
        spans += [say(between), *line] if place else line
    return tuple(spans)


def listed(lines: Sequence[Line], most: int) -> Line:
    """Return lines as a list in a sentence, cut after the first few."""
    shown = joined(lines[:most], ", ")
    rest = len(lines) - most
    return (*shown, say(f", … {rest:,} more")) if rest > 0 else shown


def count_of(doctype: str, count: int) -> str:
    """Return a number of documents in words."""
    kind = DOCTYPES[doctype]
    return f"{count:,} {kind.label if count == 1 else kind.plural}"


def tally(documents: Iterable[DocumentDiff]) -> str:
    """Return what happened to how many documents, in words, the smallest kinds first."""
    counts = Counter((one.document.doctype, one.kind) for one in documents)
    order, kinds = list(DOCTYPES), list(Kind)
    ranked = sorted(counts, key=lambda key: (-order.index(key[0]), kinds.index(key[1])))
    return ", ".join(f"{count_of(key[0], counts[key])} {key[1].value}" for key in ranked)


def document_blocks(report: DiffReport, bounds: Bounds) -> Iterator[Block]:
    """Yield what happened to the documents, those alike together."""
    groups: dict[object, list[DocumentDiff]] = {}
    for found in report.documents:
        groups.setdefault(_alike(found), []).append(found)
    for group in groups.values():
        is_listing = group[0].kind in (Kind.ADDED, Kind.REMOVED) or group[0].is_renumbered
        if len(group) >= (2 if is_listing else _ALIKE):
            yield _together(group, bounds)
        else:
            yield from (_alone(found, bounds) for found in group)


def _alike(found: DocumentDiff) -> object:
    """Return what documents share that are told as one."""
    common = (found.kind, found.document.doctype)
    if found.kind in (Kind.ADDED, Kind.REMOVED):
        return (*common, found.above)
    if found.is_renumbered:
        return (*common, found.above, "renumbered")
    if found.kind is Kind.MOVED:
        return (*common, found.above, found.above_before, repr(found.details))
    if found.kind is Kind.CHANGED and len(found.above) > 0:
        return (*common, found.above[0], repr(found.details))
    return found.document.ref


def _together(group: Sequence[DocumentDiff], bounds: Bounds) -> Block:
    first = group[0]
    what = say(count_of(first.document.doctype, len(group)), "strong")
    names = listed([(titled(one.document.title),) for one in group], bounds.names)
    if first.is_renumbered:
        line = (what, *_in(first.above), say(" renumbered, in the same order: "), *names)
        return Block("🔢", line, (), len(group))
    above = first.above[:1] if first.kind is Kind.CHANGED else first.above
    place = _moved_between(first) if first.kind is Kind.MOVED else _in(above)
    line = (what, say(f" {first.kind.value}"), *place, say(": "), *names)
    return Block(_SIGNS[first.kind], line, _details(first, bounds), len(group))


def _alone(found: DocumentDiff, bounds: Bounds) -> Block:
    document, was = found.document, found.before
    what = (say(f"{document.type.label} "), titled(document.title), say(" "))
    name: Line = (_named(document.name),)
    if found.kind is Kind.RENAMED and was:
        name = (_named(was.name), say(" → "), _named(document.name))
    place = _moved_between(found) if found.kind is Kind.MOVED else _in(found.above)
    line = (*what, *name, say(f" {found.kind.value}"), *place)
    return Block(_SIGNS[found.kind], line, _details(found, bounds))


def _named(name: str) -> Span:
    return say(_cut(name, MAX_TITLE), "code")


def _in(above: Sequence[str]) -> Line:
    return (say(" in "), *crumbs(above)) if above else ()


def _moved_between(found: DocumentDiff) -> Line:
    """Return from where to where a document moved; an orphan has no place."""
    nowhere: Line = (say("nowhere (an orphan)"),)
    return (
        say(" from "),
        *(crumbs(found.above_before) or nowhere),
        say(" to "),
        *(crumbs(found.above) or nowhere),
    )


def _details(found: DocumentDiff, bounds: Bounds) -> tuple[Line, ...]:
    shown = [_detail(detail, bounds) for detail in found.details[: bounds.details]]
    rest = len(found.details) - bounds.details
    return (*shown, (say(f"… and {rest:,} more changes"),)) if rest > 0 else tuple(shown)


def _detail(detail: Detail, bounds: Bounds) -> Line:
    label = _label(detail.path)
    is_item = isinstance(detail.path[-1], ItemName)
    match detail.effect:
        case Effect.MOVED_UP | Effect.MOVED_DOWN:
            what = f"{detail.effect.value}, from place {detail.before} to {detail.after}"
            return (*label, say(f" {what}")) if is_item else (say(what),)
        case Effect.RENUMBERED if len(detail.path) == 1 and detail.path[0] in CHILD_TABLES:
            return (say(f"{detail.before} {detail.path[0]} renumbered, in the same order"),)
        case Effect.RENUMBERED:
            numbers = f": {detail.before} → {detail.after}, in the same order"
            return (*label, say(numbers))
        case Effect.ADDED | Effect.REMOVED if is_item and isinstance(detail.path[-1], ItemName):
            verb = say(f" {detail.effect.value}")
            told = _override(detail) if detail.path[-1].kind == "override" else ()
            if detail.path[-1].words:
                return (*label, verb, *told)
            return (*label, verb, say(": "), *_value(detail, bounds))
        case _:
            return (*label, say(": "), *_value(detail, bounds))


def _override(detail: Detail) -> Line:
    """Return what an override row does."""
    row = detail.after if detail.effect is Effect.ADDED else detail.before
    known = row if isinstance(row, dict) else {}
    texts = [str(known[key]) for key in ("action", "override_value") if known.get(key)]
    return (say(": "), *joined([(titled(text),) for text in texts], " "))


CHILD_TABLES = frozenset(table.field for doctype in DOCTYPES.values() for table in doctype.children)


def _label(path: Sequence[str | ItemName]) -> Line:
    """Return where a change is, without what goes without saying."""
    parts: list[Line] = []
    for place, one in enumerate(path):
        if isinstance(one, ItemName):
            words: Line = (say(" “"), titled(_cut(one.words, 60)), say("”")) if one.words else ()
            parts.append((say(f"{one.kind} {one.number}"), *words))
        elif _is_understood(path, place):
            continue
        elif place in (0, 2) and one in _FIELDS:
            parts.append((say(one.replace("_", " ")),))
        else:
            parts.append((titled(one),))
    return joined(parts, " › ")


def _is_understood(path: Sequence[str | ItemName], place: int) -> bool:
    """Tell whether a step of a path goes without saying: the table of a row, a stage's config."""
    one = path[place]
    is_table = place == 0 and len(path) > 1 and one in CHILD_TABLES
    return is_table or (one == "config" and 0 < place < len(path) - 1)


_FIELDS = frozenset(
    column.name
    for doctype in DOCTYPES.values()
    for columns in (doctype.fields, *(table.fields for table in doctype.children))
    for column in columns
)


def _value(detail: Detail, bounds: Bounds) -> Line:
    """Return a change of a value as what is gone and what is new.

    Words within one text are one span, which keeps its direction; two values are two.
    """
    if detail.words:
        return (_pieces(excerpt(detail.words, bounds.context), bounds),)
    gone = _pieces([Piece("gone", _words(detail.before))], bounds)
    new = _pieces([Piece("new", _words(detail.after))], bounds)
    if detail.effect is Effect.CHANGED:
        return (gone, say(" → "), new)
    return (new,) if detail.effect is Effect.ADDED else (gone,)


def _pieces(pieces: Iterable[Piece], bounds: Bounds) -> Span:
    """Return pieces, each of them cut, as many as there is room for."""
    shown: list[Piece] = []
    room = _PIECES * bounds.characters
    for piece in pieces:
        text = _cut(piece.text, bounds.characters)
        room -= len(text)
        if room < 0:
            shown.append(Piece("cut", "…"))
            break
        shown.append(Piece(piece.op, text))
    return Span("value", "", tuple(shown))


_PIECES = 4
"""So many times the length of one value is told of a text that changed here and there."""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _words(value: Json) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "null"
        case "":
            return "(empty)"
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
