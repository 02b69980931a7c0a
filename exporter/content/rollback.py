"""Going back: a commit of which the content, or a part of it, is an earlier commit's (spec 5).

All of it is the other commit's tree, so only files that differ are read, to tell of them. A part is
made of documents, not of files: one that has moved since goes back to its place, one that was added
goes, one that was deleted comes back. Either is an ordinary commit with a trailer, by which
snapshots know that the versions that went are not to come back by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from exporter.content.committed import documents_of_both
from exporter.content.comparing import Comparison
from exporter.content.deciding import Decision, as_it_was, decide
from exporter.content.describing import changes_of, message_of, plans_of
from exporter.content.digests import Known, Scope
from exporter.content.part import part_of, refuse_orphans
from exporter.content.repository import Commit, Repository
from exporter.content.snapshot import refuse_unclean
from exporter.content.texts import Texts
from exporter.content.worktree import Writes, finished, only_one, recover, write
from exporter.core.changes import Change, ancestor_paths, plans_trailer
from exporter.core.model import DOCTYPES, PLAN, ExtraFields, Ref
from exporter.core.tree import place_of
from exporter.errors import UsageError

__all__ = ["RollbackOptions", "RollbackResult", "roll_back"]

_PLANS = f"{DOCTYPES[PLAN].folder}/"


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
        trees = _trees(repository, head, target, f"{options.folder}/")
        if not any(map(place_of, trees.then)):
            raise UsageError(
                f"{options.label} has no content below {options.folder}/",
                hint="`exporter releases` and `git log` list what there is to go back to",
            )
        with closing(Texts(repository)) as texts:
            go = _part_back if options.plans or options.documents else _all_back
            return _commit(repository, go(head, trees, texts, options), target, options)


@dataclass(frozen=True, slots=True)
class _Trees:
    """The snapshot folder as it is and as it was: blobs by path."""

    now: Mapping[str, str]
    then: Mapping[str, str]

    def only(self, wanted: Iterable[str]) -> _Trees:
        """Return some files of both, those at which a document may stand."""
        paths = list(filter(place_of, wanted))
        now, then = ({path: tree[path] for path in paths if path in tree} for tree in self._both)
        return _Trees(now, then)

    @property
    def differing(self) -> set[str]:
        """Return the paths of files that are not the same in both."""
        return {path for path, _ in self.now.items() ^ self.then.items()}

    @property
    def _both(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        return self.now, self.then


def _trees(repository: Repository, head: Commit, target: Commit, folder: str) -> _Trees:
    """Return both trees; of the other one git is asked only how it differs."""
    now = repository.tree(head.sha, folder.removesuffix("/"))
    differing = repository.differing(head.sha, target.sha)
    other = {p.removeprefix(folder): b for p, b in differing.items() if p.startswith(folder)}
    return _Trees(now, {path: blob for path, blob in {**now, **other}.items() if blob})


@dataclass(frozen=True, slots=True)
class _Return:
    """What is going to be committed; `blobs` and `gone` are below the snapshot folder."""

    found: Comparison
    decision: Decision
    blobs: Mapping[str, str]
    gone: Collection[str]


def _all_back(head: Commit, trees: _Trees, texts: Texts, options: RollbackOptions) -> _Return:
    """Go back to a tree: read are the files that differ, what is above them, and all plans.

    Nothing else has a part in the commit or in its message.
    """
    differing = trees.differing
    above = {path for one in differing for path in ancestor_paths(one)}
    plans = {path for path in (*trees.now, *trees.then) if path.startswith(_PLANS)}
    found, then = _compared(head, trees.only(differing | above | plans), texts, options)
    blobs = {path: trees.then[path] for path in differing & trees.then.keys()}
    return _Return(found, as_it_was(found, then), blobs, differing - blobs.keys())


def _part_back(head: Commit, trees: _Trees, texts: Texts, options: RollbackOptions) -> _Return:
    """Go back with some documents: where they stand follows from what all others say."""
    found, _ = _compared(head, trees.only({**trees.now, **trees.then}), texts, options)
    part = part_of(found, options.plans, options.documents, options.extra_fields)
    candidates = found.candidates()
    instead = {one.ref: one.before for one in candidates if one.ref not in part}
    decision = decide(found, candidates, instead, options.extra_fields)
    blobs = {decision.paths[ref]: blob for ref, blob in decision.files.items()}
    gone = _documented(found).intersection(decision.deletions)
    if blobs or gone:
        refuse_orphans(found, decision, part)
    return _Return(found, decision, blobs, gone)


def _compared(
    head: Commit, trees: _Trees, texts: Texts, options: RollbackOptions
) -> tuple[Comparison, Mapping[Ref, Known]]:
    """Compare two trees, as a snapshot does HEAD's with the database; return the other one too."""
    before, then = documents_of_both((trees.now, trees.then), texts, options.extra_fields)
    after = {ref: known.version for ref, known in then.items()}
    files, scope = frozenset(trees.now), Scope(head.sha, options.folder, "")
    return Comparison(head, before, files, after, {}, {}, texts, scope), then


def _commit(
    repository: Repository, back: _Return, target: Commit, options: RollbackOptions
) -> RollbackResult:
    found, decision = back.found, back.decision
    writes = _writes(back, options.folder)
    if not writes.planned:
        return RollbackResult(None)
    changes = changes_of(found, decision)
    plans = plans_of(found, decision, options.extra_fields)
    trailers = [("Exporter-Rollback", options.label), ("Exporter-Plans", plans_trailer(plans))]
    message = _message(message_of(found, decision, changes, trailers), target, options)
    author = _author(repository, options)
    write(repository, writes, found.texts)
    commit = repository.commit_files(message, writes.planned, author=author, parent=found.head)
    finished(repository)
    return RollbackResult(commit, changes, tuple(sorted(plans)), message)


def _writes(back: _Return, folder: str) -> Writes:
    return Writes(
        {f"{folder}/{path}": back.blobs[path] for path in sorted(back.blobs)},
        [f"{folder}/{path}" for path in sorted(back.gone)],
    )


def _documented(found: Comparison) -> set[str]:
    """Return the paths of documents: a part leaves files that are none alone."""
    return {known.path for known in found.before.values()}


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
