"""Taking a snapshot: what a source holds becomes files and one commit (spec 2).

The order is: refuse early, compare, let holds veto, decide, guard, and only then write. Nothing is
written and no commit is made where the content is what HEAD has.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

from exporter.content.candidates import (
    Held,
    Holding,
    HoldRule,
    Replaced,
    Version,
    nothing_held,
)
from exporter.content.comparing import Comparison, Source, compare
from exporter.content.deciding import Decision, decide, in_full, known_after
from exporter.content.describing import changes_of, message_of, plans_of
from exporter.content.digests import remember, trusted
from exporter.content.repository import Commit, Repository
from exporter.content.worktree import Writes, finished, only_one, recover, write
from exporter.core.changes import Change, plans_trailer
from exporter.core.guards import refusals
from exporter.core.model import ExtraFields, Ref
from exporter.errors import Refused

__all__ = [
    "SnapshotOptions",
    "SnapshotResult",
    "affected_by",
    "last_snapshot_at",
    "refuse_unclean",
    "take_snapshot",
]


_DONE = "last-snapshot"
"""Touched whenever a snapshot went well, also one that changed nothing."""


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """How a snapshot is taken; `folder` is relative to the repository's root."""

    folder: str
    extra_fields: ExtraFields = field(default_factory=dict)
    author: str | None = None
    max_delete_ratio: float = 0.2
    allow_mass_delete: bool = False
    commit: bool = True
    full: bool = False
    """Read everything, whatever is remembered."""
    hold: HoldRule = nothing_held


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """What a snapshot did; `commit` is None where nothing changed or nothing was committed."""

    commit: Commit | None
    changes: tuple[Change, ...]
    """Most important first; their documents are stubs with a title."""
    files_written: int
    files_deleted: int
    documents: int
    plans: tuple[str, ...]
    """The plans that the changes affect."""
    guards_lifted: tuple[str, ...]
    message: str
    held: tuple[Held, ...] = ()
    """What was not taken from the source because people rolled it back."""
    replaced: tuple[Replaced, ...] = ()
    """What people wrote by hand, and the source does not have."""
    pushed: bool = False
    """Whether anything was sent to a remote."""


def take_snapshot(
    repository: Repository, source: Source, options: SnapshotOptions
) -> SnapshotResult:
    """Write what a source holds into the repository and commit it.

    Raises:
        Refused: a guard stands against it, the work tree is dirty, or another snapshot runs.
        SourceError: the source cannot be read.
        GitError: git failed; the next run puts the work tree right.
    """
    with only_one(repository):
        recover(repository)
        refuse_unclean(repository, options.folder)
        extra = options.extra_fields
        found = compare(repository, source, options.folder, extra, full=options.full)
        with closing(found.texts):
            result = _take(repository, found, options)
        with suppress(OSError):  # the snapshot is done, whether or not this can be noted
            (repository.private_dir / _DONE).touch()
        return result


def affected_by(repository: Repository, source: Source, options: SnapshotOptions) -> set[str]:
    """Return the plans that a snapshot taken now would affect, without taking it.

    Raises:
        SourceError: the source cannot be read.
        GitError: git failed.
    """
    extra = options.extra_fields
    found = compare(repository, source, options.folder, extra)
    with closing(found.texts):
        candidates = found.candidates()
        if not candidates:
            return set()
        holding = Holding()
        if found.head:
            holding = options.hold(repository, found.head, candidates, found.texts)
        found = in_full(found, candidates, holding.instead)
        return plans_of(found, decide(found, candidates, holding.instead, extra), extra)


def refuse_unclean(repository: Repository, folder: str) -> None:
    """Refuse to work over somebody's uncommitted edits or an unfinished merge (spec 2, step 4).

    Raises:
        Refused: there are such edits, or such a merge.
    """
    waiting = repository.operation_in_progress()
    if waiting:
        raise Refused(
            f"{repository.root} is in the middle of a merge, rebase or revert ({waiting})",
            hint="finish or abort it, then run again",
        )
    dirty = repository.dirty_paths(folder)
    if dirty:
        shown = ", ".join(dirty[:5]) + (f" and {len(dirty) - 5} more" if len(dirty) > 5 else "")
        raise Refused(
            f"{len(dirty)} uncommitted change{'s'[: len(dirty) > 1]} below {folder}/: {shown}",
            hint="commit them, or drop them with "
            f"`git checkout -- {folder}` and `git clean -fd {folder}`",
        )


def last_snapshot_at(repository: Repository, folder: str) -> int | None:
    """Return when a snapshot last went well, in Unix seconds; None where there was none.

    What every clone knows is the newest snapshot's commit; the one that took it also knows of later
    ones that found nothing changed.
    """
    query = ("log", "-1", "--no-show-signature", "--format=%ct", "--grep=^Exporter-Snapshot:")
    found = repository.git(*query, "HEAD", "--", folder).split() if repository.head() else []
    done = repository.private_dir / _DONE
    here = [int(done.stat().st_mtime)] if done.exists() else []
    return max([*map(int, found), *here], default=None)


def _take(repository: Repository, found: Comparison, options: SnapshotOptions) -> SnapshotResult:
    if found.unchanged:
        return SnapshotResult(None, (), 0, 0, len(found.after) + found.left_out, (), (), "")
    candidates = found.candidates()
    holding = Holding()
    if found.head and candidates:
        holding = options.hold(repository, found.head, candidates, found.texts)
    found = in_full(found, candidates, holding.instead)
    decision = decide(found, candidates, holding.instead, options.extra_fields)
    total = len(decision.versions) + found.left_out
    if not decision.files and not decision.deletions:
        _remember(repository, found, decision, holding, found.head)
        return SnapshotResult(None, (), 0, 0, total, (), (), "", holding.held)
    lifted = _guard(found, decision, holding.instead, options)
    changes = changes_of(found, decision)
    plans = plans_of(found, decision, options.extra_fields)
    message = message_of(found, decision, changes, _trailers(found, plans, holding, lifted))
    commit = _write(repository, found, decision, message, options)
    if commit:
        _remember(repository, found, decision, holding, commit)
    return SnapshotResult(
        commit,
        changes,
        len(decision.files),
        len(decision.deletions),
        total,
        tuple(sorted(plans)),
        lifted,
        message,
        holding.held,
        () if found.remembered else holding.replaced,
    )


def _guard(
    found: Comparison,
    decision: Decision,
    instead: Mapping[Ref, Version | None],
    options: SnapshotOptions,
) -> tuple[str, ...]:
    """Return the guards that were lifted; what is held counts on neither side.

    Raises:
        Refused: one stands.
    """
    before = (ref for ref in found.before if ref not in instead)
    after = (ref for ref in decision.versions if ref not in instead)
    against = list(refusals(before, after, options.max_delete_ratio))
    standing = [why for why, liftable in against if not (liftable and options.allow_mass_delete)]
    if standing:
        raise Refused(
            "the snapshot was refused: " + "; ".join(standing),
            hint="look at the database first; if the deletions are meant, run `exporter snapshot "
            "--allow-mass-delete` (never lifts the loss of all plans or subjects)",
        )
    return tuple(why for why, _ in against)


def _trailers(
    found: Comparison, plans: set[str], holding: Holding, lifted: tuple[str, ...]
) -> list[tuple[str, str]]:
    mode = "incremental" if found.remembered else "full"
    trailers = [("Exporter-Snapshot", mode), ("Exporter-Plans", plans_trailer(plans))]
    trailers += holding.trailers
    return [*trailers, ("Exporter-Guard-Lifted", "mass-delete")] if lifted else trailers


def _write(
    repository: Repository,
    found: Comparison,
    decision: Decision,
    message: str,
    options: SnapshotOptions,
) -> Commit | None:
    if options.commit:
        repository.require_identity(options.author)
    blobs = {decision.paths[ref]: blob for ref, blob in decision.files.items()}
    writes = Writes(
        {f"{options.folder}/{path}": blobs[path] for path in sorted(blobs)},
        [f"{options.folder}/{path}" for path in decision.deletions],
    )
    write(repository, writes, found.texts)
    commit = None
    if options.commit:
        commit = repository.commit_files(
            message, writes.planned, author=options.author, parent=found.head
        )
    finished(repository)
    return commit


def _remember(
    repository: Repository,
    found: Comparison,
    decision: Decision,
    holding: Holding,
    commit: Commit | None,
) -> None:
    """Remember what was seen, where that is more than was known already."""
    known = known_after(found, decision, holding.instead)
    sums = trusted(found.sums, known)
    scope = replace(found.scope, commit=commit.sha if commit else "")
    memory = found.memory
    if not (memory and scope == found.scope and known == found.before and sums == memory.sums):
        remember(repository.private_dir, scope, known, sums, memory if found.left_out else None)
