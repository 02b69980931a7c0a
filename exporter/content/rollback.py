"""Going back: a commit of which the content, or a part of it, is an earlier commit's (spec 5).

A part is made of documents, not of files: one that has moved since goes back to its place, one that
was added goes, one that was deleted comes back. All of it is an ordinary commit with a trailer, by
which snapshots know that the versions that went are not to come back by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from exporter.content.candidates import Version
from exporter.content.comparing import Comparison, document_in, documents_of_both
from exporter.content.deciding import Decision, decide
from exporter.content.describing import changes_of, message_of, plans_of
from exporter.content.digests import Scope
from exporter.content.repository import Commit, Repository
from exporter.content.snapshot import refuse_unclean
from exporter.content.texts import Texts
from exporter.content.worktree import Writes, finished, only_one, recover, write
from exporter.core.changes import Change, plans_trailer
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

__all__ = ["RollbackOptions", "RollbackResult", "roll_back"]

_LINKS = ((SEASON, "season"), (GRADE, "grade"), (STREAM, "stream"))


@dataclass(frozen=True, slots=True)
class RollbackOptions:
    """What goes back; without plans and documents, everything does."""

    folder: str
    label: str
    """The release or commit gone back to, as the trailer names it."""
    plans: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    """Names, or `DocType/name` where a name alone is not enough."""
    extra_fields: ExtraFields = field(default_factory=dict)
    author: str | None = None
    """For a machine whose git knows no identity of its own."""


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What a rollback did; `commit` is None where the content is as it was already."""

    commit: Commit | None
    changes: tuple[Change, ...] = ()
    plans: tuple[str, ...] = ()
    message: str = ""


def roll_back(repository: Repository, target: Commit, options: RollbackOptions) -> RollbackResult:
    """Commit content that is as it was in `target`.

    Raises:
        UsageError: there is no such plan or document.
        Refused: the work tree is dirty, or the part cannot stand without another.
        GitError: git failed.
    """
    with only_one(repository):
        recover(repository)
        refuse_unclean(repository, options.folder)
        head = repository.resolve("HEAD")
        with closing(Texts(repository)) as texts:
            found = _compare(repository, head, target, texts, options)
            if not found.after:
                raise UsageError(
                    f"{options.label} has no content below {options.folder}/",
                    hint="`exporter releases` and `git log` list what there is to go back to",
                )
            return _commit(repository, found, target, options)


def _compare(
    repository: Repository, head: Commit, target: Commit, texts: Texts, options: RollbackOptions
) -> Comparison:
    """Compare HEAD with an earlier commit, as a snapshot does with the database."""
    folder, extra = options.folder, options.extra_fields
    before, then, files = documents_of_both(repository, (head, target), folder, texts, extra)
    after = {ref: known.version for ref, known in then.items()}
    scope = Scope(head.sha, folder, "")
    return Comparison(head, before, files, after, {}, {}, texts, scope, remembered=False)


def _commit(
    repository: Repository, found: Comparison, target: Commit, options: RollbackOptions
) -> RollbackResult:
    candidates = found.candidates()
    part = _part(found, options)
    instead = {
        one.ref: one.before for one in candidates if part is not None and one.ref not in part
    }
    decision = decide(found, candidates, instead, options.extra_fields)
    writes = _writes(repository, found, decision, target, options)
    if not writes.planned:
        return RollbackResult(None)
    if part is not None:
        _refuse_orphans(found, decision, part)
    changes = changes_of(found, decision)
    plans = plans_of(found, decision, options.extra_fields)
    trailers = [("Exporter-Rollback", options.label), ("Exporter-Plans", plans_trailer(plans))]
    message = _message(message_of(found, decision, changes, trailers), target, options)
    author = _author(repository, options)
    write(repository, writes, found.texts)
    commit = repository.commit_files(message, writes.planned, author=author, parent=found.head)
    finished(repository)
    return RollbackResult(commit, changes, tuple(sorted(plans)), message)


def _writes(
    repository: Repository,
    found: Comparison,
    decision: Decision,
    target: Commit,
    options: RollbackOptions,
) -> Writes:
    folder = options.folder
    if not (options.plans or options.documents):
        now, then = (repository.tree(c.sha, folder) for c in (repository.resolve("HEAD"), target))
        blobs = {path: blob for path, blob in then.items() if now.get(path) != blob}
        gone = [path for path in now if path not in then]
    else:
        blobs = {decision.paths[ref]: blob for ref, blob in decision.files.items()}
        gone = [path for path in decision.deletions if path in _documented(found)]
    return Writes(
        {f"{folder}/{path}": blobs[path] for path in sorted(blobs)},
        [f"{folder}/{path}" for path in sorted(gone)],
    )


def _documented(found: Comparison) -> set[str]:
    """Return the paths of documents: a part leaves files that are none alone."""
    return {known.path for known in found.before.values()}


def _part(found: Comparison, options: RollbackOptions) -> set[Ref] | None:
    """Return the documents that go back; None for all."""
    if not (options.plans or options.documents):
        return None
    part = {ref for name in options.documents for ref in [_named(found, name)]}
    for name in options.plans:
        part |= _plan_part(found, (PLAN, name), options.extra_fields)
    return part


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
        hint = near(plan[1], {ref[1] for side in sides for ref in side if ref[0] == plan[0]})
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


def _refuse_orphans(found: Comparison, decision: Decision, part: set[Ref]) -> None:
    """Refuse to put a document back where what is above it is not there."""
    for ref in sorted(part & decision.versions.keys()):
        above = DOCTYPES[ref[0]].parent
        parent = (above or "", decision.versions[ref].parent)
        if above and parent in found.after and parent not in decision.versions:
            raise Refused(
                f"{ref[1]} stood below {DOCTYPES[above].label} {parent[1]!r}, "
                "which is not there now",
                hint=f"take it back too: --document '{above}/{parent[1]}'",
            )


def _message(snapshot: str, target: Commit, options: RollbackOptions) -> str:
    """Return the message: what changes is told as a snapshot tells it."""
    subject, _, rest = snapshot.partition("\n")
    parts = [*(f"plan {name}" for name in options.plans), *options.documents]
    what = ", ".join(" ".join(part.split()) for part in parts) or "all content"
    then = f"commit {target.sha[:12]}"
    is_commit = options.label == target.sha
    back = f"Puts {what} back as it was in {then if is_commit else f'{options.label} ({then})'}"
    return f"{subject.replace('content: ', 'rollback: ', 1)}\n\n{back}.\n{rest}"


def _author(repository: Repository, options: RollbackOptions) -> str | None:
    """Return whom to name: the person whose git it is, or else who takes snapshots."""
    try:
        repository.require_identity(None)
    except UsageError:
        return options.author
    return None
