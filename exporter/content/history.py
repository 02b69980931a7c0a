"""What git's history says of documents: who touched them, and which versions they had (spec 5).

Read from git alone, so that every machine agrees. Documents are known by DocType and name; a path
tells them where it can, the file's own `name` where the segment is cut or in another normal form.
The cost is that of people's commits: snapshots' own are looked at only for documents that a person
touched, from HEAD backwards and no further than needed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import dropwhile
from urllib.parse import unquote

from exporter.content.repository import Commit, Repository
from exporter.content.wordings import Wording, Wordings, name_in
from exporter.core.holds import Mark, Touch, mark_of
from exporter.core.lineage import Entry, FileState, Lineage, LogCommit, Trace
from exporter.core.model import DOCTYPES, ExtraFields, Ref
from exporter.core.segments import possible_segments
from exporter.core.tree import Place, place_of
from exporter.errors import GitError

__all__ = ["RENAMED", "History"]

RENAMED = "Exporter-Renamed"
"""Trailer: a document that is the same under another name, where a hold depends on it:
`[DocType, new, old]`."""

_SNAPSHOTS = "^Exporter-Snapshot:"
_LOG_FORMAT = "%H%n%P%n%an%n%aI%n%B"
_FIRST_LOOK = 500
"""Commits to look at before looking further back, four times as far each time."""


class History:
    """The history of a commit's snapshot folder."""

    def __init__(
        self, repository: Repository, head: Commit, folder: str, extra: ExtraFields
    ) -> None:
        """Look at nothing yet; `folder` is relative to the repository's root."""
        self._repository = repository
        self._head = head
        self._folder = folder
        self._extra = extra
        self._logs: dict[str, LogCommit] = {}
        self._names: dict[tuple[str, str], str] = {}

    def commit(self, sha: str) -> LogCommit:
        """Return a commit that a touch names."""
        return self._logs[sha]

    def had_snapshots(self, before: str) -> bool:
        """Tell whether a snapshot made a commit that is older than one of a touch."""
        older = dropwhile(lambda commit: commit.sha != before, self._logs.values())
        return any(commit.mark is Mark.SNAPSHOT for commit in older)

    def was_confirmed(self, sha: str) -> bool:
        """Tell whether a snapshot came after a commit: then the database had what it wrote."""
        after = {sha}
        for commit in reversed(self._logs.values()):  # parents come before their children
            if after.intersection(commit.parents):
                if commit.mark is Mark.SNAPSHOT:
                    return True
                after.add(commit.sha)
        return False

    def touched_by_people(self, wanted: Iterable[Ref] | None = None) -> set[Ref]:
        """Return which documents a commit touched that no snapshot made; of all, or of some.

        A document that a snapshot knew to be renamed counts under its newest name.

        Raises:
            GitError: git failed, or the clone is shallow and cannot be deepened.
        """
        self._deepen()
        commits = self._people()
        if not commits:
            return set()
        renamed = self._renames()
        names = None if wanted is None else _Names(_with_older(wanted, renamed))
        asked = [(commit.sha, commit.parents[:1]) for commit in commits]
        touched = {ref for edge in self._edges(asked, names) for ref in edge}
        for new, old in reversed(renamed):
            if old in touched:
                touched.add(new)
        return touched if wanted is None else touched & set(wanted)

    def states(self, refs: Iterable[Ref]) -> dict[Ref, FileState | None]:
        """Return the files of documents at HEAD; None where there is none."""
        names = _Names(refs)
        if not names.refs:
            return {}
        tree = self._repository.tree(self._head.sha, self._folder)
        entries = [Entry(path, "", blob) for path, blob in tree.items()]
        found = self._sorted([entries], names)[0]
        states: dict[Ref, FileState | None] = dict.fromkeys(names.refs)
        for ref, matching in found.items():
            first = min(matching, key=lambda entry: (entry.path.count("/"), entry.path))
            states[ref] = FileState(first.path, first.new)
        return states

    def touches(self, states: Mapping[Ref, FileState | None]) -> dict[Ref, list[Touch[Wording]]]:
        """Return the touches of documents, from old to new, as far back as they matter."""
        names = _Names(_with_older(states, self._renames()))
        limit, waiting, traces = _FIRST_LOOK, dict(states), dict[Ref, Trace]()
        while waiting:
            commits = self._log(limit)
            lineage = self._lineage(commits, names)
            traces.update((ref, lineage.trace(ref, state)) for ref, state in waiting.items())
            if len(commits) < limit:
                break
            waiting = {ref: states[ref] for ref in waiting if not traces[ref].is_whole}
            limit *= 4
        return self._worded(traces)

    def _deepen(self) -> None:
        """Bring the whole history: without it nobody knows what was rolled back."""
        git = self._repository.git
        if git("rev-parse", "--is-shallow-repository").strip() != b"true":
            return
        try:
            git("fetch", "--quiet", "--unshallow", env={"GIT_TERMINAL_PROMPT": "0"})
        except GitError as error:
            raise GitError(
                f"the clone {self._repository.root} is shallow and could not be deepened, so it "
                "cannot be told which documents were rolled back",
                hint="run `git fetch --unshallow` (in a workflow: `fetch-depth: 0`), then again",
            ) from error

    def _people(self) -> list[LogCommit]:
        """Return the commits that no snapshot made, hash and parents only."""
        listing = self._repository.git(
            "log", "-z", "--no-show-signature", "--basic-regexp", "--invert-grep",
            f"--grep={_SNAPSHOTS}", "--format=%H %P", self._head.sha,
        )  # fmt: skip
        found = (line.split() for line in listing.decode().split("\0") if line.strip())
        return [LogCommit(sha, tuple(parents), Mark.PLAIN) for sha, *parents in found]

    def _renames(self) -> list[tuple[Ref, Ref]]:
        """Return the (new, old) names that snapshots tell of, the newest first."""
        listing = self._repository.git(
            "log", "-z", "--no-show-signature", "--basic-regexp", f"--grep=^{RENAMED}:",
            "--format=%B", "--encoding=UTF-8", self._head.sha,
        )  # fmt: skip
        messages = listing.decode(errors="replace").split("\0")
        return [pair for message in messages for pair in _renamed_in(message).items()]

    def _log(self, limit: int) -> list[LogCommit]:
        listing = self._repository.git(
            "log", "-z", "--topo-order", "--no-show-signature", "--encoding=UTF-8",
            f"--max-count={limit}", f"--format={_LOG_FORMAT}", self._head.sha,
        )  # fmt: skip
        records = listing.decode(errors="replace").split("\0")
        commits = [_log_commit(record) for record in records if record]
        self._logs.update((commit.sha, commit) for commit in commits)
        return commits

    def _lineage(self, commits: Sequence[LogCommit], names: _Names) -> Lineage:
        asked = [(commit.sha, commit.parents) for commit in commits]
        keys = [(sha, n) for sha, parents in asked for n in range(max(len(parents), 1))]
        edges = dict(zip(keys, self._edges(asked, names), strict=True))
        return Lineage(commits, edges)

    def _edges(
        self, asked: Sequence[tuple[str, Sequence[str]]], names: _Names | None
    ) -> list[dict[Ref, list[Entry]]]:
        """Return, for each commit and each of the parents asked for, what differs, by document."""
        lines = [f"{sha} {parent}" for sha, parents in asked for parent in parents or ("",)]
        listing = self._repository.git(
            "diff-tree", "--stdin", "-r", "-m", "--raw", "-z", "--root", "--always",
            "--no-renames", "--no-abbrev", "--", f"{self._folder}/",
            feed="".join(f"{line.strip()}\n" for line in lines).encode(),
            env={"GIT_LITERAL_PATHSPECS": "1"},
        )  # fmt: skip
        edges = _parse_edges(listing, len(self._folder) + 1)
        return self._sorted(edges, names)

    def _sorted(
        self, edges: Sequence[Sequence[Entry]], names: _Names | None
    ) -> list[dict[Ref, list[Entry]]]:
        """Return entries by document: of the documents wanted, or of all."""
        files = [
            (place.doctype, entry.new or entry.old)
            for edge in edges
            for entry in edge
            if (place := place_of(entry.path)) and (names is None or names.may_be(place))
        ]
        self._read_names(files)
        return [_by_document(edge, names, self._names) for edge in edges]

    def _read_names(self, files: Iterable[tuple[str, str]]) -> None:
        """Learn the names that stand in files, by DocType and blob."""
        unread = sorted(set(files) - self._names.keys())
        contents = self._repository.blobs(blob for _, blob in unread)
        for (doctype, blob), data in zip(unread, contents, strict=True):
            self._names[doctype, blob] = name_in(doctype, data)

    def _worded(self, traces: Mapping[Ref, Trace]) -> dict[Ref, list[Touch[Wording]]]:
        """Read the versions of traced touches; what turns out to be the same one is no touch."""
        reader = Wordings(self._repository, self._folder, self._extra)
        for ref, trace in traces.items():
            for touch in trace.touches:
                reader.want(ref, touch.commit.sha, touch.after)
                reader.want(ref, _parent_of(touch.commit), touch.before)
        reader.read()
        today = _TodaysNames(self._logs.values())
        return {ref: _touches(ref, trace, reader, today) for ref, trace in traces.items()}


def _parent_of(commit: LogCommit) -> str:
    return commit.parents[0] if commit.parents else ""


def _touches(ref: Ref, trace: Trace, reader: Wordings, today: _TodaysNames) -> list[Touch[Wording]]:
    """Return worded touches from old to new, in terms of today's names of parents."""
    found = []
    for touch in reversed(trace.touches):
        sha = touch.commit.sha
        after = today.worded(ref, reader.get(ref, sha, touch.after), sha)
        before = reader.get(ref, _parent_of(touch.commit), touch.before)
        before = today.worded(ref, before, sha, before=True)
        if before != after:
            found.append(Touch(sha, touch.mark, before, after))
    return found


class _TodaysNames:
    """Puts a version that is older than a renaming of its parent in terms of the new name."""

    def __init__(self, commits: Iterable[LogCommit]) -> None:
        """Take commits with the newest first."""
        listed = list(commits)
        self._age = {commit.sha: age for age, commit in enumerate(listed)}
        self._renames = [
            (age, new, old)
            for age, commit in enumerate(listed)
            for new, old in commit.renamed.items()
        ]
        self._renames.reverse()

    def worded(
        self, ref: Ref, wording: Wording | None, commit: str, *, before: bool = False
    ) -> Wording | None:
        """Return a version as of a commit, or `before` it."""
        if wording is None or not self._renames:
            return wording
        parent = (DOCTYPES[ref[0]].parent, wording.parent)
        oldest = self._age[commit] + before
        for age, new, old in self._renames:
            if age < oldest and old == parent:
                parent = new
        return replace(wording, parent=parent[1])


class _Names:
    """Finds documents among paths."""

    def __init__(self, refs: Iterable[Ref]) -> None:
        self.refs = frozenset(refs)
        self._segments = {
            (doctype, segment) for doctype, name in self.refs for segment in possible_segments(name)
        }

    def may_be(self, place: Place) -> bool:
        """Tell whether a path may be that of a wanted document."""
        return (place.doctype, place.segment) in self._segments


def _by_document(
    entries: Iterable[Entry], names: _Names | None, said: Mapping[tuple[str, str], str]
) -> dict[Ref, list[Entry]]:
    """Return entries by the document that each file says it is, or else its path."""
    found: dict[Ref, list[Entry]] = defaultdict(list)
    for entry in entries:
        place = place_of(entry.path)
        if place is None or not (names is None or names.may_be(place)):
            continue
        name = said[place.doctype, entry.new or entry.old] or unquote(place.segment)
        if names is None or (place.doctype, name) in names.refs:
            found[place.doctype, name].append(entry)
    return dict(found)


def _parse_edges(listing: bytes, start: int) -> list[list[Entry]]:
    """Read `diff-tree --raw -z`: a hash begins each edge, then come its entries."""
    edges: list[list[Entry]] = []
    parts = iter(listing.decode(errors="surrogateescape").split("\0"))
    for part in parts:
        if part.startswith(":"):
            _, _, old, new, _ = part.split()
            path = next(parts)[start:]
            edges[-1].append(Entry(path, old.strip("0") and old, new.strip("0") and new))
        elif part:
            edges.append([])
    return edges


def _log_commit(record: str) -> LogCommit:
    sha, parents, author, date, message = record.split("\n", 4)
    mark = mark_of(message)
    renamed = _renamed_in(message) if mark is Mark.SNAPSHOT else {}
    subject = message.split("\n", 1)[0]
    return LogCommit(sha, tuple(parents.split()), mark, author, date, subject, renamed)


def _renamed_in(message: str) -> dict[Ref, Ref]:
    """Return the old name by the new one of each document that a snapshot says was renamed.

    Raises:
        GitError: a trailer is not as a snapshot writes it.
    """
    found = {}
    for line in message.split("\n"):
        if line.startswith(f"{RENAMED}: "):
            try:
                doctype, new, old = map(str, json.loads(line.partition(": ")[2]))
            except ValueError as error:
                raise GitError(
                    f"a commit's trailer cannot be read: {line}",
                    hint="somebody edited the message of a snapshot's commit",
                ) from error
            found[doctype, new] = (doctype, old)
    return found


def _with_older(refs: Iterable[Ref], renamed: Iterable[tuple[Ref, Ref]]) -> set[Ref]:
    """Add the names that documents had before they were renamed."""
    found = set(refs)
    older = dict(renamed)
    waiting = list(found)
    while waiting:
        old = older.get(waiting.pop())
        if old and old not in found:
            found.add(old)
            waiting.append(old)
    return found
