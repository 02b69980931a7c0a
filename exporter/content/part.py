"""Which documents a rollback of plans or documents takes back, and what may not go back alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from exporter.content.candidates import Version
from exporter.content.committed import document_in
from exporter.content.comparing import Comparison
from exporter.content.deciding import Decision
from exporter.core.model import (
    DOCTYPES,
    GRADE,
    PLAN,
    SEASON,
    STREAM,
    SUBJECT,
    Document,
    ExtraFields,
    Ref,
)
from exporter.core.wording import near
from exporter.errors import Refused, UsageError

__all__ = ["part_of", "refuse_orphans"]

_LINKS = ((SEASON, "season"), (GRADE, "grade"), (STREAM, "stream"))


def part_of(
    found: Comparison, plans: Iterable[str], documents: Iterable[str], extra: ExtraFields
) -> set[Ref]:
    """Return the documents that go back, given names.

    Raises:
        UsageError: there is no such plan or document.
    """
    part = {_named(found, name) for name in documents}
    for name in plans:
        part |= _plan_part(found, (PLAN, name), extra)
    return part


def refuse_orphans(found: Comparison, decision: Decision, part: set[Ref]) -> None:
    """Refuse to put a document back where what is above it is not there.

    Raises:
        Refused: a document stood below another, which does not go back.
    """
    for ref in sorted(part & decision.versions.keys()):
        above = DOCTYPES[ref[0]].parent
        parent = (above or "", decision.versions[ref].parent)
        if above and parent in found.after and parent not in decision.versions:
            raise Refused(
                f"{ref[1]} stood below {DOCTYPES[above].label} {parent[1]!r}, "
                "which is not there now",
                hint=f"take it back too: --document '{above}/{parent[1]}'",
            )


def _named(found: Comparison, name: str) -> Ref:
    """Return the document of a name, in HEAD or then."""
    doctype, slash, rest = name.partition("/")
    known = found.before.keys() | found.after.keys()
    if slash and (doctype, rest) in known:
        return (doctype, rest)
    matching = sorted(ref for ref in known if ref[1] == name)
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(
            f"{name!r} is the name of {len(matching)} documents",
            hint=f"say which, as in --document '{matching[0][0]}/{name}'",
        )
    hint = near(rest or name, {ref[1] for ref in known}, "`exporter diff` names documents")
    raise UsageError(f"there is no document {name!r}, neither now nor then", hint=hint)


def _plan_part(found: Comparison, plan: Ref, extra: ExtraFields) -> set[Ref]:
    """Return a plan, what it links, and all of its subjects with what is below, now and then."""
    sides: list[Mapping[Ref, Version]] = [
        {ref: known.version for ref, known in found.before.items()},
        found.after,
    ]
    versions = [side[plan] for side in sides if plan in side]
    if not versions:
        names = {ref[1] for side in sides for ref in side if ref[0] == plan[0]}
        hint = near(plan[1], names, "`exporter show` names the plans of a release")
        raise UsageError(f"there is no plan {plan[1]!r}, neither now nor then", hint=hint)
    part = {plan}
    contents = found.texts.blobs(version.content for version in versions)
    for document in (document_in("plans/plan.yaml", data, extra) for data in contents):
        part.update(_linked(document) if document else ())
    return part.union(*(_below(side, part) for side in sides))


def _linked(plan: Document) -> Iterator[Ref]:
    yield from ((doctype, plan.text(name)) for doctype, name in _LINKS if plan.text(name))
    yield from ((SUBJECT, str(row.get("subject", ""))) for row in plan.rows.get("subjects", ()))


def _below(side: Mapping[Ref, Version], top: Iterable[Ref]) -> set[Ref]:
    """Return what stands below some documents, by parent links."""
    inside = set(top)
    for doctype in DOCTYPES.values():  # parents come before their children
        above = doctype.parent
        if above:
            inside |= {
                ref
                for ref, version in side.items()
                if ref[0] == doctype.name and (above, version.parent) in inside
            }
    return inside
