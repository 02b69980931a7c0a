"""What the objects that `--json` prints have in common.

Standard words: `release` and `commit` are full ids; `file` is a path from the repository's root and
`path` one from the snapshot folder; `target` is a target's name; `…_error` is null where nothing
went wrong; instants of the exporter end in `Z`, dates of commits are as git writes them.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.core.changes import ChangeKind
from exporter.core.diff import Kind as DiffKind
from exporter.core.diff_access import Sign
from exporter.core.diff_values import Effect
from exporter.core.model import DOCTYPES
from exporter.core.release import Kind as ReleaseKind
from exporter.core.release import PlanState
from exporter.publish.comparing import Damage
from reference.shapes import (
    Schema,
    choice,
    flag,
    listed,
    mapping,
    number,
    objects,
    or_null,
    shared,
    text,
    value,
)

__all__ = [
    "DEFINITIONS",
    "DOCTYPE",
    "ERRORS",
    "FAILURES",
    "FINDINGS",
    "HELD_BY",
    "HELD_PLANS",
    "LEVELS",
    "NAME",
    "PURGE_ERROR",
    "TARGET",
    "TITLE",
    "WARNINGS",
    "commit",
    "doctype",
    "instant",
    "many",
    "names",
    "pointer",
    "release",
]

FAILURES = (
    *("usage", "configuration", "content", "refused", "database", "git", "store", "purge"),
    *("outside", "interrupted", "bug"),
)
LEVELS = ("public", "authenticated", "free_preview", "paid")
SEVERITIES = ("error", "warning")
_INSTANT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_RELEASE = "^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"
_NOT_HEXADECIMAL = {"pattern": "[^0-9a-f]"}


def commit(said: str) -> Schema:
    """Return a commit's full id."""
    return text(said, minLength=40, maxLength=64, **{"not": _NOT_HEXADECIMAL})


def release(said: str) -> Schema:
    """Return a release's full id."""
    return text(said, minLength=25, maxLength=25, pattern=_RELEASE)


def instant(said: str) -> Schema:
    """Return an instant in UTC."""
    return text(said, minLength=20, maxLength=20, pattern=_INSTANT)


def doctype(said: str) -> Schema:
    """Return a DocType's name."""
    return choice(said, DOCTYPES)


def names(said: str) -> Schema:
    """Return a list of texts."""
    return listed(said, {"type": "string"})


def pointer(said: str) -> Schema:
    """Return a place inside a file."""
    return listed(said, {"type": ["string", "integer"]})


def many(said: str, name: str) -> Schema:
    """Return a list of what a definition declares."""
    return listed(said, {"$ref": f"#/$defs/{name}"})


TARGET = text("The target's name", minLength=1)
PURGE_ERROR = or_null(text("What the CDN did not accept; null where nothing is left to purge"))
DOCTYPE = doctype("What kind of document it is")
NAME = text("The document's name", minLength=1)
TITLE = text("The document's title, or its name where it has none")
HELD_PLANS = names("The plans that errors hold back at their last release, by name")
HELD_BY = mapping(
    "For each of these plans, the errors that hold it back",
    {"type": "array", "items": {"$ref": "#/$defs/short_finding"}},
)
FINDINGS = many("Every problem that was found, by file and line", "finding")
ERRORS = number("How many findings are errors")
WARNINGS = number("How many findings are warnings")

DEFINITIONS: Mapping[str, Schema] = {
    "finding": objects(
        "One problem of the content",
        code=text("The check's code, as in docs/checks.md", pattern="^[EW][0-9]{3}"),
        title=text("What the check is about"),
        severity=choice("Errors hold back plans, warnings do not", SEVERITIES),
        file=text("The file, from the repository's root"),
        line=number("The line, from 1; 0 where it is not known"),
        pointer=pointer("The place inside the file: keys and list positions from the top"),
        doctype=or_null(doctype("What kind of document it is in; null for a file that is none")),
        name=or_null(text("The document's name; null for a file that is none")),
        breadcrumb=names("Titles from the subject down to the document"),
        message=text("What is wrong"),
        hint=text("What to do; may be empty"),
        plans=names("The published plans that show it"),
    ),
    "short_finding": objects(
        "An error that holds a plan back",
        code=text("The check's code, as in docs/checks.md", pattern="^[EW][0-9]{3}"),
        file=text("The file, from the repository's root"),
        line=number("The line, from 1; 0 where it is not known"),
        message=text("What is wrong"),
    ),
    "change": objects(
        "What happened to one document",
        kind=choice("What happened", [kind.value for kind in ChangeKind]),
        doctype=DOCTYPE,
        name=NAME,
        title=TITLE,
        path=text("Its file, from the snapshot folder; the former one where it was removed"),
    ),
    "hold": objects(
        "A version of a document that snapshots leave out, because people rolled it back",
        doctype=DOCTYPE,
        name=NAME,
        title=TITLE,
        commit=commit("The commit that rolled it back"),
        author=text("Who rolled it back"),
        date=text("When, as git writes it"),
        reason=text("The first line of that commit's message"),
    ),
    "replaced": objects(
        "A version of a document that a person wrote by hand, and a snapshot replaced",
        doctype=DOCTYPE,
        name=NAME,
        title=TITLE,
        commit=commit("The commit that wrote it"),
        author=text("Who wrote it"),
    ),
    "outcome": objects(
        "What a release did with a plan",
        state=choice("What became of the plan", [state.value for state in PlanState]),
        index=text("SHA-256 of the index of its live files; empty where it has none"),
        attempts=number("Releases in a row that failed or held it back; 3 make a dead letter"),
        error=text("Why it failed or was held back; empty where it was not"),
        commit=text("The commit that its live files are of; empty where it has none"),
        lessons=text("SHA-256 of the index of shared files that they were built against"),
        files=number("How many live files of its own it has"),
    ),
    "release_record": objects(
        "The immutable record of a release",
        id=release("The release's id: its time and a random part"),
        kind=choice("Why there is a release", [kind.value for kind in ReleaseKind]),
        commit=commit("The commit that was published"),
        parents=objects(
            "What was live before",
            release=text("The release; empty for the first one"),
            commit=text("Its commit; empty for the first one"),
        ),
        trigger=text("Who or what started it"),
        exporter=text("The version of the exporter"),
        fingerprint=text("SHA-256 of all that shapes output besides the content"),
        started_at=instant("When the publish began"),
        finished_at=instant("When the release went live"),
        plans=mapping("What became of each plan, by name", {"$ref": "#/$defs/outcome"}),
        lessons=text("SHA-256 of the index of the shared files; empty where there are none"),
        kept=text("SHA-256 of the index of what stands on and is live no more; may be empty"),
        files_put=number("How many files were put"),
        bytes_put=number("How many bytes these have"),
        files_deleted=number("How many files were deleted"),
        urls_to_purge=number("How many URLs or prefixes the CDN was to forget"),
        store=text("The store of its files; empty in records of older exporters"),
        precedent=text("The earlier release of which files were taken as they stood; may be empty"),
    ),
    "origin": objects(
        "Where a value stands, and who wrote it",
        file=text("The file, from the repository's root"),
        line=number("The line, from 1"),
        commit=or_null(commit("The commit that last wrote it; null where it is not committed")),
        author=or_null(text("Who wrote it")),
        date=or_null(text("When, as git writes it")),
        subject=or_null(text("The first line of that commit's message")),
    ),
    "evidence": objects(
        "A value that a decision read",
        doctype=or_null(doctype("What kind of document has it; null for the configuration")),
        name=or_null(text("The document's name; null for the configuration")),
        pointer=pointer("The place inside the document: keys and list positions from the top"),
        value=value("The value; an empty text where the document has none"),
        origin=or_null(shared("origin", "Where it stands; null for a default that no file says")),
    ),
    "decision": objects(
        "One step of a chain of decisions",
        node=shared("node", "The document at which it is taken"),
        rule=text("The rule's name; `rule 1` to `rule 9` are those of access"),
        result=value("What holds after this step", "string", "boolean", "integer", "number"),
        reason=text("Why, in words"),
        evidence=many("The values that it read", "evidence"),
    ),
    "node": objects("A document", doctype=DOCTYPE, name=NAME, title=TITLE),
    "terms": objects(
        "What a student needs to open something",
        access_level=choice("Who may open it", LEVELS),
        required_item=text("The item to have bought; empty where none is needed"),
        is_sold_separately=flag("Whether it is sold by itself"),
        parent_item_required=flag("Whether the subject's item is needed as well"),
    ),
    "notice": objects(
        "Something that students will notice",
        sign=choice("What it is", [sign.value for sign in Sign]),
        plans=names("The plans in which they notice it, by name"),
        where=names("Titles from the subject down to what holds all of it"),
        lessons=number("How many lessons it concerns"),
        nodes=many("The documents that it concerns, the topmost only", "noticed_node"),
    ),
    "noticed_node": objects(
        "A document of a notice",
        doctype=DOCTYPE,
        name=NAME,
        title=text("Its title as plans show it now, or did"),
        before=or_null(shared("terms", "How students opened it; null where it was not shown")),
        after=or_null(shared("terms", "How students open it now; null where it is not shown")),
    ),
    "document_change": objects(
        "What happened to one document, in full",
        kind=choice("What happened", [kind.value for kind in DiffKind]),
        doctype=DOCTYPE,
        name=NAME,
        name_before=or_null(text("Its former name, where it was renamed")),
        title=TITLE,
        breadcrumb=names("Titles from the subject down to its parent"),
        breadcrumb_before=names("The same, before the change"),
        details=many("What changed inside it", "detail"),
    ),
    "detail": objects(
        "A change at one place of a document",
        effect=choice("What happened there", [effect.value for effect in Effect]),
        path=pointer("Field names, keys, and numbers of rows and items from 1"),
        before=value("The value before; for a move its place"),
        after=value("The value after; for a move its place"),
        words=listed(
            "For longer texts, pieces of `[same|gone|new|cut, text]`",
            {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        ),
    ),
    "drift": objects(
        "An object that is not as the live release has it",
        key=text("Its key in the CDN store"),
        damage=choice("How it differs", [damage.value for damage in Damage]),
        why=text("How that was seen"),
    ),
}
