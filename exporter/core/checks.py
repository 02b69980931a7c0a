"""Checks of documents by themselves, whoever shows them (spec 4: E105, E113, W201 to W208)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from exporter.core.blocks import is_colour
from exporter.core.files import CONFIG, CONFIG_TEXT
from exporter.core.findings import Finding, Pointer
from exporter.core.model import SUBJECT, Document, Json, Row
from exporter.core.packed import unpacked
from exporter.core.screening import fits_double, is_clean, is_harmless
from exporter.core.tree import Snapshot

__all__ = [
    "DEFAULT_SECRET_PATTERNS",
    "Problem",
    "breadcrumb",
    "check_documents",
    "finding_at",
    "in_path_order",
    "with_breadcrumb",
]

DEFAULT_SECRET_PATTERNS = (
    r"X-Amz-Signature=",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"AKIA(?<=\bAKIA)[0-9A-Z]{16}\b",
)
"""Each begins with a fixed text, for which long texts are searched many times faster."""
_PRIVATE_FILE = "/private/files/"

_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")
"""Control characters, and those that show letters in another order than they are written in.

Marks, joiners, embeddings and isolates are left alone: Arabic content needs them.
"""
_SCRIPT_LINK = re.compile(
    r"""(?:\b(?:href|src|action|formaction)\s*=\s*["']?|\]\(\s*<?)\s*(?:java|vb)script:\S""",
    re.IGNORECASE,
)
_SCRIPT_URL = re.compile(r"\s*(?:java|vb)script:\S", re.IGNORECASE)
_WORDS = frozenset({"name", "title", "description"})
"""Fields that hold no URL, so that a lesson may be called JavaScript:basics."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding before it knows its document."""

    code: str
    message: str
    hint: str
    pointer: Pointer = ()


def check_documents(
    snapshot: Snapshot, secret_patterns: Iterable[str], part: Iterable[Document] | None = None
) -> Iterator[Finding]:
    """Yield what is wrong with each document, in the order of their paths, or with some."""
    secrets = _compiled(secret_patterns)
    for document in in_path_order(snapshot) if part is None else part:
        for problem in _problems(snapshot, document, secrets):
            yield finding_at(snapshot, document, problem)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Compiled patterns: the usual ones as one, for every text of a school may be searched."""

    usual: re.Pattern[str] | None
    configured: tuple[re.Pattern[str], ...]

    def found_in(self, text: str) -> bool:
        """Tell whether a text looks like a secret."""
        if self.usual and self.usual.search(text):
            return True
        return any(pattern.search(text) for pattern in self.configured)


def _compiled(patterns: Iterable[str]) -> _Secrets:
    wanted = list(patterns)
    usual = "|".join(pattern for pattern in wanted if pattern in DEFAULT_SECRET_PATTERNS)
    others = (one for one in wanted if one and one not in DEFAULT_SECRET_PATTERNS)
    return _Secrets(re.compile(usual) if usual else None, tuple(map(re.compile, others)))


def in_path_order(snapshot: Snapshot) -> list[Document]:
    """Return all documents in the order in which they are checked."""
    return sorted(snapshot.documents.values(), key=lambda one: snapshot.paths[one.ref])


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


def _problems(snapshot: Snapshot, document: Document, secrets: _Secrets) -> Iterator[Problem]:
    if snapshot.is_orphan(document):
        yield _orphan(document)
    colour = document.text("color_code")
    if document.doctype == SUBJECT and colour and not is_colour(colour):
        hint = "write it as # and six hexadecimal digits, such as #1E88E5; it is left out till then"
        yield Problem("W203", f"{colour!r} is no colour", hint, ("color_code",))
    document = unpacked(document)
    clean = is_clean(document)
    for position, row in enumerate(document.rows.get("stages", ())):
        yield from _stage_problems(row, ("stages", position), has_sound_numbers=clean)
    if not clean or secrets.configured:
        yield from _published_text_problems(document, secrets)


def _orphan(document: Document) -> Problem:
    field = str(document.type.parent_field)
    missing = document.parent
    what = f"{field} {missing!r} leads to no subject" if missing else f"{field} is empty"
    hint = "set the link in Frappe, or delete the document; until then it is never published"
    return Problem("W201", what, hint, (field,) if missing else ())


def _stage_problems(row: Row, at: Pointer, *, has_sound_numbers: bool) -> Iterator[Problem]:
    if CONFIG_TEXT in row:
        hint = "mend the JSON of this stage in Frappe"
        yield Problem("E105", "the stage's config is not a JSON object", hint, (*at, CONFIG_TEXT))
        return
    config = row.get(CONFIG, {})
    for place in () if has_sound_numbers else _beyond_double(config, (*at, CONFIG)):
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
            if not fits_double(value):
                yield at
        case _:
            return


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


def _published_text_problems(document: Document, secrets: _Secrets) -> Iterator[Problem]:
    for pointer, text in _texts(document):
        if _PRIVATE_FILE in text:
            hint = "students cannot open private files; attach it as a public one"
            yield Problem("W207", "a private file (/private/files/…)", hint, pointer)
        if secrets.found_in(text):
            hint = "remove it from the content, and revoke it: git keeps what was committed"
            message = "a signed URL or something that looks like a credential"
            yield Problem("E113", message, hint, pointer)
        if not is_harmless(text):
            yield from _acting(text, pointer)


def _acting(text: str, pointer: Pointer) -> Iterator[Problem]:
    if hidden := _HIDDEN.search(text):
        number = f"U+{ord(hidden[0]):04X}"
        what = f"a control character ({number}), which nobody sees"
        if hidden[0] > "\x9f":
            what = f"a hidden character ({number}) that turns the letters after it around"
        hint = "type the text again in Frappe: the character came with something that was pasted"
        yield Problem("W208", what, hint, pointer)
    may_be_url = pointer[-1] not in _WORDS
    if _SCRIPT_LINK.search(text) or (may_be_url and _SCRIPT_URL.match(text)):
        hint = "link to a page instead: in an app this would run as a program"
        yield Problem("W208", "a link that runs a script", hint, pointer)


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
