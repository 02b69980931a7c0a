"""Checks of documents by themselves, whoever shows them (spec 4: E105, E113, W201 to W207)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from exporter.core.blocks import is_colour
from exporter.core.files import CONFIG, CONFIG_TEXT
from exporter.core.findings import Finding, Pointer
from exporter.core.model import SUBJECT, Document, Json, Row
from exporter.core.tree import Snapshot

__all__ = [
    "DEFAULT_SECRET_PATTERNS",
    "Problem",
    "breadcrumb",
    "check_documents",
    "finding_at",
    "with_breadcrumb",
]

DEFAULT_SECRET_PATTERNS = (
    r"X-Amz-Signature=",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\bAKIA[0-9A-Z]{16}\b",
)
_PRIVATE_FILE = "/private/files/"


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding before it knows its document."""

    code: str
    message: str
    hint: str
    pointer: Pointer = ()


def check_documents(snapshot: Snapshot, secret_patterns: Iterable[str]) -> Iterator[Finding]:
    """Yield what is wrong with each document, in the order of their paths."""
    secrets = re.compile("|".join(f"(?:{pattern})" for pattern in secret_patterns) or r"(?!)")
    for document in sorted(snapshot.documents.values(), key=lambda d: snapshot.paths[d.ref]):
        for problem in _problems(snapshot, document, secrets):
            yield finding_at(snapshot, document, problem)


def finding_at(snapshot: Snapshot, document: Document, problem: Problem) -> Finding:
    """Return a problem of a document as a finding, with its path and breadcrumb."""
    return Finding(
        problem.code,
        snapshot.paths[document.ref],
        problem.message,
        problem.hint,
        problem.pointer,
        ref=document.ref,
        anchors=(document.ref,),
        breadcrumb=breadcrumb(snapshot, document),
    )


def breadcrumb(snapshot: Snapshot, document: Document) -> tuple[str, ...]:
    """Return the titles from the subject down to the document."""
    return tuple(above.title for above in snapshot.lineage(document))


def with_breadcrumb(snapshot: Snapshot, finding: Finding) -> Finding:
    """Return the finding with the titles down to its document, or to the nearest one above it."""
    near = (finding.ref, *finding.anchors)
    documents = (snapshot.documents.get(ref) for ref in near if ref)
    document = next((found for found in documents if found), None)
    if finding.breadcrumb or document is None:
        return finding
    return replace(finding, breadcrumb=breadcrumb(snapshot, document))


def _problems(
    snapshot: Snapshot, document: Document, secrets: re.Pattern[str]
) -> Iterator[Problem]:
    if snapshot.is_orphan(document):
        yield _orphan(document)
    colour = document.text("color_code")
    if document.doctype == SUBJECT and colour and not is_colour(colour):
        hint = "write it as # and six hexadecimal digits, such as #1E88E5; it is left out till then"
        yield Problem("W203", f"{colour!r} is no colour", hint, ("color_code",))
    for position, row in enumerate(document.rows.get("stages", ())):
        yield from _stage_problems(row, ("stages", position))
    yield from _published_text_problems(document, secrets)


def _orphan(document: Document) -> Problem:
    field = str(document.type.parent_field)
    missing = document.parent
    what = f"{field} {missing!r} leads to no subject" if missing else f"{field} is empty"
    hint = "set the link in Frappe, or delete the document; until then it is never published"
    return Problem("W201", what, hint, (field,) if missing else ())


def _stage_problems(row: Row, at: Pointer) -> Iterator[Problem]:
    if CONFIG_TEXT in row:
        hint = "mend the JSON of this stage in Frappe"
        yield Problem("E105", "the stage's config is not a JSON object", hint, (*at, CONFIG_TEXT))
        return
    config = row.get(CONFIG, {})
    for place in _beyond_double(config, (*at, CONFIG)):
        hint = "write it as text, or as a number that students' devices can hold"
        message = "the stage's config has a number beyond double precision's range"
        yield Problem("E105", message, hint, place)
    kind = row.get("type", "")
    missing = _missing(str(kind), config if isinstance(config, dict) else {})
    if missing:
        hint = "students would see an empty stage; complete it in Frappe"
        yield Problem("W205", f"a stage of type {kind} needs {missing}", hint, (*at, CONFIG))


def _beyond_double(value: Json, at: Pointer) -> Iterator[Pointer]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _beyond_double(inner, (*at, key))
        case list():
            for position, inner in enumerate(value):
                yield from _beyond_double(inner, (*at, position))
        case int() | float():
            if not _fits_double(value):
                yield at
        case _:
            return


def _fits_double(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _missing(kind: str, config: Mapping[str, Json]) -> str:
    """Return what a stage's type needs and its config lacks; empty where nothing is missing."""
    match kind:
        case "Video":
            urls = (config.get("video_url"), config.get("url"))
            has_url = any(isinstance(url, str) and url for url in urls)
            return "" if has_url else "`video_url` or `url`"
        case "Text":
            has_text = any(map(config.get, ("text", "content", "html")))
            return "" if has_text else "`text`, `content` or `html`"
        case "Interactive":
            return "" if config else "a config"
        case "Question":
            return ", ".join(_missing_of_question(config))
        case _:
            return ""


def _missing_of_question(config: Mapping[str, Json]) -> Iterator[str]:
    if not config.get("question"):
        yield "`question`"
    options = config.get("options")
    if not (isinstance(options, list) and options):
        yield "a list of `options`"
    if config.get("correct_answer") is None and config.get("answer") is None:
        yield "`correct_answer` or `answer`"


def _published_text_problems(document: Document, secrets: re.Pattern[str]) -> Iterator[Problem]:
    for pointer, text in _texts(document):
        if _PRIVATE_FILE in text:
            hint = "students cannot open private files; attach it as a public one"
            yield Problem("W207", "a private file (/private/files/…)", hint, pointer)
        if secrets.search(text):
            hint = "remove it from the content, and revoke it: git keeps what was committed"
            message = "a signed URL or something that looks like a credential"
            yield Problem("E113", message, hint, pointer)


def _texts(document: Document) -> Iterator[tuple[Pointer, str]]:
    """Yield every text that is published with a document, where it stands."""
    yield ("name",), document.name
    hidden = document.type.parent_field
    for name, value in document.fields.items():
        if isinstance(value, str) and name != hidden:
            yield (name,), value
    for table, rows in document.rows.items():
        for position, row in enumerate(rows):
            for name, value in row.items():
                yield from _texts_in(value, (table, position, name))


def _texts_in(value: object, pointer: Pointer) -> Iterator[tuple[Pointer, str]]:
    match value:
        case str():
            yield pointer, value
        case dict():
            for key, inner in value.items():
                yield pointer, key
                yield from _texts_in(inner, (*pointer, key))
        case list():
            for position, inner in enumerate(value):
                yield from _texts_in(inner, (*pointer, position))
        case _:
            return
