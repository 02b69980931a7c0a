"""A document's way through the history, as one line from HEAD backwards (spec 5, "Holds").

History forks and joins, a document's versions must not. The line follows first parents. Where a
merge gave the document what a side branch has, and nobody else had touched it since the fork, the
side's own commits stand in the line, so that a merge commit, a squash and a rebase of the same
pull request give the same answer. Where both sides had touched it, the merge itself is the touch,
and it is what the side was: a snapshot's, or a rollback. Paths and blobs are all that is known
here; what they say is read later, for the few that matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.core.holds import Mark, Touch, is_settled
from exporter.core.model import Ref
from exporter.core.tree import place_of

__all__ = ["Edges", "Entry", "FileState", "Lineage", "LogCommit", "Step", "Trace", "TracedTouch"]


@dataclass(frozen=True, slots=True)
class LogCommit:
    """A commit as the log tells it."""

    sha: str
    parents: tuple[str, ...]
    mark: Mark
    author: str = ""
    date: str = ""
    subject: str = ""
    renamed: Mapping[Ref, Ref] = field(default_factory=dict)
    """What a snapshot knew to be renamed documents: the old name by the new one."""


@dataclass(frozen=True, slots=True)
class FileState:
    """Where a document's file stands and what is in it."""

    path: str
    blob: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what a move of a folder further up does not change: parent's segment, blob."""
        place = place_of(self.path)
        above = place_of(place.parent_path) if place and place.parent_path else None
        return (above.segment if above else self.path.partition("/")[0], self.blob)

    @property
    def is_orphan(self) -> bool:
        """Tell whether the file stands in `orphans/`, where its text has the parent link."""
        place = place_of(self.path)
        return place is not None and place.orphan


@dataclass(frozen=True, slots=True)
class Entry:
    """A path that differs between a commit and one of its parents; an empty blob: no file."""

    path: str
    old: str
    new: str


Edges = Mapping[tuple[str, int], Mapping[Ref, Sequence[Entry]]]
"""What differs between a commit and its n-th parent, by document."""


@dataclass(frozen=True, slots=True)
class Step:
    """A commit of a line, with the lines of what it merged; `refs` is all that they touch."""

    commit: LogCommit
    sides: tuple[tuple[Step, ...], ...]
    refs: frozenset[Ref]
    is_cut: bool = False
    """A side goes on beyond the commits that are known."""


@dataclass(frozen=True, slots=True)
class TracedTouch:
    """A commit that changed a document's file, its content or its folder."""

    commit: LogCommit
    mark: Mark
    before: FileState | None
    after: FileState | None


@dataclass(frozen=True, slots=True)
class Trace:
    """A document's touches, newest first; not `is_whole` where older commits may matter."""

    touches: tuple[TracedTouch, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where a walk back along a line arrived."""

    touches: list[TracedTouch]
    ref: Ref
    state: FileState | None
    is_whole: bool = True
    settled: bool = False


class Lineage:
    """The newest part of a history, or all of it, from its commits in topological order."""

    def __init__(self, commits: Sequence[LogCommit], edges: Edges) -> None:
        """Arrange commits, the newest first; a parent that is not among them is further back."""
        self._edges = edges
        known = {commit.sha: commit for commit in commits}
        self._goes_on = any(parent not in known for c in commits for parent in c.parents)
        claimed: set[str] = set()
        line, _ = _claim(commits[0].sha, known, claimed) if commits else ([], False)
        self._line = self._steps(line, known, claimed)

    def trace(self, ref: Ref, state: FileState | None) -> Trace:
        """Return the touches of a document that is in `state` at the newest commit."""
        walk = self._back(self._line, ref, state, may_settle=True)
        return Trace(tuple(walk.touches), walk.is_whole and (walk.settled or not self._goes_on))

    def _steps(
        self, line: Sequence[LogCommit], known: Mapping[str, LogCommit], claimed: set[str]
    ) -> tuple[Step, ...]:
        """Return a line's steps, newest first; what an older merge brought is not a newer one's."""
        steps = []
        for commit in reversed(line):
            sides, is_cut = [], False
            for parent in commit.parents[1:]:
                side, ran_out = _claim(parent, known, claimed)
                sides.append(self._steps(side, known, claimed))
                is_cut = is_cut or ran_out or any(step.is_cut for step in sides[-1])
            steps.append(Step(commit, tuple(sides), self._touched(commit, sides), is_cut))
        return tuple(reversed(steps))

    def _touched(self, commit: LogCommit, sides: Sequence[Sequence[Step]]) -> frozenset[Ref]:
        own: set[Ref] = set(commit.renamed)
        for number in range(max(len(commit.parents), 1)):
            own.update(self._edges.get((commit.sha, number), ()))
        return frozenset(own.union(*(step.refs for side in sides for step in side)))

    def _back(
        self, line: Sequence[Step], ref: Ref, state: FileState | None, *, may_settle: bool = False
    ) -> _Walk:
        """Walk a line back from the state after its newest step."""
        touches: list[TracedTouch] = []
        for step in line:
            if ref not in step.refs:
                continue
            if step.is_cut:
                return _Walk(touches, ref, state, is_whole=False)
            found, ref, before = self._step_back(step, ref, state)
            touches += found
            state = before
            if may_settle and found and _is_settled(touches):
                return _Walk(touches, ref, state, settled=True)
        return _Walk(touches, ref, state)

    def _step_back(
        self, step: Step, ref: Ref, state: FileState | None
    ) -> tuple[list[TracedTouch], Ref, FileState | None]:
        """Return a step's touches, and the document's name and state before it."""
        commit = step.commit
        if ref in commit.renamed:
            older = commit.renamed[ref]
            before = _older(self._edges.get((commit.sha, 0), {}).get(older, ()), "")
            return [TracedTouch(commit, commit.mark, before, state)], older, before
        before = self._state_before(commit, 0, ref, state)
        mark = commit.mark
        for number, side in enumerate(step.sides, start=1):
            tip = self._state_before(commit, number, ref, state)
            if not _same(tip, state):
                continue
            walk = self._back(side, ref, tip)
            if walk.touches and _same(walk.state, before):
                return walk.touches, walk.ref, before
            mark = mark if mark is not Mark.PLAIN else _inherited(walk.touches)
        if state == before:
            return [], ref, before
        return [TracedTouch(commit, mark, before, state)], ref, before

    def _state_before(
        self, commit: LogCommit, number: int, ref: Ref, state: FileState | None
    ) -> FileState | None:
        """Return the state of a document in a commit's n-th parent."""
        entries = self._edges.get((commit.sha, number), {}).get(ref, ())
        if state is not None and all(entry.path != state.path for entry in entries):
            return state
        return _older(entries, state.path if state else "")


def _claim(
    sha: str, known: Mapping[str, LogCommit], claimed: set[str]
) -> tuple[list[LogCommit], bool]:
    """Return a line of first parents down to one that is in another line already.

    The second value tells that the line went beyond the commits that are known.
    """
    line: list[LogCommit] = []
    while sha in known and sha not in claimed:
        claimed.add(sha)
        line.append(known[sha])
        if not known[sha].parents:
            return line, False
        sha = known[sha].parents[0]
    return line, sha not in known


def _older(entries: Sequence[Entry], path: str) -> FileState | None:
    """Return where a document's file was, by what differs; at the same path if it can be."""
    old = sorted((entry.path != path, entry.path, entry.old) for entry in entries if entry.old)
    return FileState(*old[0][1:]) if old else None


def _same(one: FileState | None, other: FileState | None) -> bool:
    return one == other or (one is not None and other is not None and one.key == other.key)


def _inherited(side: Sequence[TracedTouch]) -> Mark:
    """Return what a merge is that takes over a side's version."""
    if side and side[0].mark is Mark.SNAPSHOT:
        return Mark.SNAPSHOT
    rolled_back = any(touch.mark is Mark.ROLLBACK for touch in side)
    return Mark.ROLLBACK if rolled_back else Mark.PLAIN


def _is_settled(touches: Sequence[TracedTouch]) -> bool:
    """Tell whether older commits cannot matter, by what is certain without reading a file."""
    newest = touches[-1]
    return newest.mark is Mark.SNAPSHOT and is_settled(_certain(reversed(touches)))


def _certain(touches: Iterable[TracedTouch]) -> Iterator[Touch[tuple[str, str]]]:
    """Yield touches that surely gave another version: nothing renamed, orphaned or just moved."""
    for touch in touches:
        mark = touch.mark
        states = (touch.before, touch.after)
        before, after = (state.key if state else None for state in states)
        moved = (
            bool(touch.commit.renamed) or before == after or any(s and s.is_orphan for s in states)
        )
        if not (moved and mark is Mark.SNAPSHOT):
            yield Touch(touch.commit.sha, mark, before, after)
