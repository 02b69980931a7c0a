"""Taking a snapshot: documents of a source become files and one commit (spec 2).

The order is: refuse early, read everything, decide, guard, and only then write. Nothing is written
and no commit is made where the content is what HEAD has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.content.reading import parse_documents, plans_at
from exporter.content.repository import Commit, Repository
from exporter.content.worktree import Writes, blob_hash, finished, only_one, recover, write
from exporter.core.changes import (
    Change,
    affected_plans,
    changes_between,
    commit_message,
    plans_trailer,
)
from exporter.core.files import render
from exporter.core.guards import refusals
from exporter.core.model import PLAN, Document, ExtraFields, Ref
from exporter.core.tree import Snapshot, grow, place_of
from exporter.errors import Refused

__all__ = ["SnapshotOptions", "SnapshotResult", "take_snapshot"]


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """How a snapshot is taken; `folder` is relative to the repository's root."""

    folder: str
    extra_fields: ExtraFields = field(default_factory=dict)
    author: str | None = None
    max_delete_ratio: float = 0.2
    allow_mass_delete: bool = False
    commit: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """What a snapshot did; `commit` is None where nothing changed or nothing was committed."""

    commit: Commit | None
    changes: tuple[Change, ...]
    files_written: int
    files_deleted: int
    documents: int
    plans: tuple[str, ...]
    """The plans that the changes affect."""
    guards_lifted: tuple[str, ...]
    message: str


def take_snapshot(
    repository: Repository, documents: Iterable[Document], options: SnapshotOptions
) -> SnapshotResult:
    """Write a source's documents into the repository and commit them.

    Raises:
        Refused: a guard stands against it, the work tree is dirty, or another snapshot runs.
        GitError: git failed; the next run puts the work tree right.
    """
    with only_one(repository):
        recover(repository)
        refuse_unclean(repository, options.folder)
        return _take(repository, grow(documents), options)


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
            hint=f"commit them, or drop them with `git checkout -- {folder}` and `git clean {folder}`",
        )


def _take(repository: Repository, snapshot: Snapshot, options: SnapshotOptions) -> SnapshotResult:
    head = repository.head()
    old = repository.tree(head.sha, options.folder) if head else {}
    old = {path: blob for path, blob in old.items() if place_of(path)}
    by_path = {path: snapshot.documents[ref] for ref, path in snapshot.paths.items()}
    texts = {
        path: render(document, orphan=path.startswith("orphans/")).encode()
        for path, document in by_path.items()
    }
    like = next(iter(old.values()), "")
    written = {p: data for p, data in texts.items() if old.get(p) != blob_hash(data, like)}
    deleted = [path for path in old if path not in texts]
    if not written and not deleted:
        return SnapshotResult(None, (), 0, 0, len(texts), (), (), "")
    touched = {path: old[path] for path in [*written, *deleted] if path in old}
    before = parse_documents(repository, touched, options.extra_fields)
    lifted = _guard(repository, before, old, by_path, options)
    changes = changes_between(before, {path: by_path[path] for path in written})
    plans = _plans(repository, head, by_path, {*written, *deleted}, options)
    titles = _Titles(repository, old, by_path, options.extra_fields)
    message = commit_message(changes, titles.title, _trailers(plans, lifted))
    prefix = options.folder
    writes = Writes(
        {f"{prefix}/{path}": data for path, data in sorted(written.items())},
        [f"{prefix}/{path}" for path in sorted(deleted)],
    )
    commit = _write_and_commit(repository, writes, message, head, options)
    return SnapshotResult(
        commit, changes, len(written), len(deleted), len(texts), tuple(sorted(plans)), lifted, message
    )


def _write_and_commit(
    repository: Repository,
    writes: Writes,
    message: str,
    head: Commit | None,
    options: SnapshotOptions,
) -> Commit | None:
    write(repository, writes)
    commit = None
    if options.commit:
        commit = repository.commit_paths(message, writes.paths, author=options.author, parent=head)
    finished(repository)
    return commit


def _guard(
    repository: Repository,
    touched: Mapping[str, Document],
    old: Mapping[str, str],
    new: Mapping[str, Document],
    options: SnapshotOptions,
) -> tuple[str, ...]:
    """Return the guards that were lifted.

    Raises:
        Refused: one stands.
    """
    before: list[Ref] = [document.ref for document in touched.values()]
    before += [new[path].ref for path in old if path in new and path not in touched]
    found = list(refusals(before, (doc.ref for doc in new.values()), options.max_delete_ratio))
    standing = [why for why, liftable in found if not (liftable and options.allow_mass_delete)]
    if standing:
        raise Refused(
            "the snapshot was refused: " + "; ".join(standing),
            hint="look at the database first; if the deletions are meant, run "
            "`exporter snapshot --allow-mass-delete` (never lifts the loss of all plans or subjects)",
        )
    return tuple(why for why, _ in found)


def _plans(
    repository: Repository,
    head: Commit | None,
    new: Mapping[str, Document],
    changed: set[str],
    options: SnapshotOptions,
) -> set[str]:
    before = plans_at(repository, head, options.folder, options.extra_fields) if head else []
    after = [(path, document) for path, document in new.items() if document.doctype == PLAN]
    return affected_plans(changed, [*before, *after])


def _trailers(plans: set[str], lifted: tuple[str, ...]) -> list[tuple[str, str]]:
    trailers = [("Exporter-Snapshot", "full"), ("Exporter-Plans", plans_trailer(plans))]
    return [*trailers, ("Exporter-Guard-Lifted", "mass-delete")] if lifted else trailers


class _Titles:
    """Titles by path, from the new snapshot or else from the last one."""

    def __init__(
        self,
        repository: Repository,
        old: Mapping[str, str],
        new: Mapping[str, Document],
        extra: ExtraFields,
    ) -> None:
        self.repository = repository
        self.old = old
        self.new = new
        self.extra = extra

    def title(self, path: str) -> str:
        """Return the title of the document at a path; empty where there never was one."""
        document = self.new.get(path)
        if document is None and path in self.old:
            blobs = {path: self.old[path]}
            document = parse_documents(self.repository, blobs, self.extra).get(path)
        return document.title if document else ""


def snapshot_folder(repository: Repository, folder: Path) -> str:
    """Return a snapshot folder relative to the repository's root, with `/`.

    Raises:
        Refused: the folder lies outside the repository.
    """
    try:
        relative = folder.resolve().relative_to(repository.root.resolve())
    except ValueError as error:
        raise Refused(
            f"the snapshot folder {folder} lies outside the repository {repository.root}",
            hint="correct `snapshot.path` in exporter.yaml",
        ) from error
    return relative.as_posix()
