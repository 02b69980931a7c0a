"""Which of the database's versions are not taken: those that people rolled back (spec 5).

The rule is in `core.holds`, the history in `history`; here they meet the candidates of a snapshot.
A document that is renamed in the database, or of which the parent is, is the same document to the
people who rolled it back: the hold stays with it, and the snapshot's commit says so in a trailer
that later runs read. A held document below one that is gone becomes an orphan, as any other does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.content.candidates import Candidate, Held, Holding, HoldRule, Replaced, Version
from exporter.content.history import RENAMED, History
from exporter.content.repository import Commit, Repository
from exporter.content.texts import Texts
from exporter.content.wordings import Said, Wording, read_document, said_in
from exporter.core.files import render
from exporter.core.holds import Touch, held_now, held_versions, own_words
from exporter.core.lineage import FileState, LogCommit
from exporter.core.model import DOCTYPES, ExtraFields, Ref

__all__ = ["all_holds", "hold_rule"]

_Versions = Mapping[Wording | None, LogCommit]
"""The held versions of a document, each with the commit that rolled it back."""


def hold_rule(
    folder: str, extra: ExtraFields, released: Callable[[Ref], bool] = lambda _: False
) -> HoldRule:
    """Return the rule of a snapshot; what is `released` is taken all the same."""

    def rule(
        repository: Repository, head: Commit, candidates: Sequence[Candidate], texts: Texts
    ) -> Holding:
        history = History(repository, head, folder, extra)
        kept = [one for one in candidates if not released(one.ref)]
        states = _interesting(history, kept)
        states = {ref: state for ref, state in states.items() if not released(ref)}
        touches = history.touches(states) if states else {}
        sets = _held_sets(history, touches)
        holding = _Decision(sets, kept, texts, extra).holding() if sets else Holding()
        taken = [one for one in kept if one.ref not in holding.instead]
        by_hand = _by_hand(history, touches, taken)
        return replace(holding, replaced=_replaced(by_hand, texts, extra))

    return rule


def all_holds(
    repository: Repository, head: Commit, folder: str, extra: ExtraFields
) -> tuple[Held, ...]:
    """Return the documents that a snapshot leaves out, as far as git alone can tell.

    These are a snapshot's own holds where the database is as the last snapshot saw it.
    """
    history = History(repository, head, folder, extra)
    states = history.states(history.touched_by_people())
    touches = history.touches(states) if states else {}
    found = {
        ref: now
        for ref, of_one in touches.items()
        if of_one and (now := held_now(of_one, watched=history.had_snapshots(of_one[0].commit)))
    }
    titles = {ref: version.title for ref, (version, _) in found.items() if version}
    titles |= _titles(repository, {ref: states[ref] for ref in found}, extra)
    return tuple(
        _held(ref, titles.get(ref) or ref[1], history.commit(sha))
        for ref, (_, sha) in sorted(found.items())
    )


def _interesting(history: History, candidates: Sequence[Candidate]) -> dict[Ref, FileState | None]:
    """Return the candidates that a person touched, and what a new document may have been named."""
    refs = {one.ref for one in candidates}
    appeared = {one.ref[0] for one in candidates if one.before is None}
    touched = history.touched_by_people(None if appeared else refs)
    states = history.states(touched)
    return {
        ref: state
        for ref, state in states.items()
        if ref in refs or (state is None and ref[0] in appeared)
    }


def _held_sets(
    history: History, touches: Mapping[Ref, Sequence[Touch[Wording]]]
) -> dict[Ref, dict[Wording | None, LogCommit]]:
    folded = {ref: held_versions(found) for ref, found in touches.items()}
    return {
        ref: {version: history.commit(sha) for version, sha in versions.items()}
        for ref, versions in folded.items()
        if versions
    }


def _by_hand(
    history: History,
    touches: Mapping[Ref, Sequence[Touch[Wording]]],
    candidates: Iterable[Candidate],
) -> list[tuple[Candidate, Wording, LogCommit]]:
    """Return candidates of which HEAD has a person's words that no snapshot found confirmed.

    What is older than the first snapshot is nobody's edit: people commit a first snapshot by hand.
    """
    own = {ref: sha for ref, of_one in touches.items() if (sha := own_words(of_one))}
    counting = {
        sha: history.commit(sha)
        for sha in set(own.values())
        if history.had_snapshots(sha) and not history.was_confirmed(sha)
    }
    return [
        (one, words, counting[own[one.ref]])
        for one in candidates
        if own.get(one.ref) in counting and (words := touches[one.ref][-1].after)
    ]


def _replaced(
    by_hand: Sequence[tuple[Candidate, Wording, LogCommit]], texts: Texts, extra: ExtraFields
) -> tuple[Replaced, ...]:
    """Tell of those that say something else in the database, in their order by name."""
    said = _read((one for one, _, _ in by_hand), texts, extra)
    found = []
    for one, words, commit in by_hand:
        after = one.after and Wording(one.after.parent, said[one.ref[0], one.after.content].content)
        if after != words:
            title = words.title or one.ref[1]
            found.append(Replaced(one.ref, title, commit.sha, commit.author))
    return tuple(sorted(found, key=lambda one: one.ref))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A candidate with its versions in words."""

    candidate: Candidate
    before: Wording | None
    after: Wording | None


class _Decision:
    """Decides over the candidates of one snapshot."""

    def __init__(
        self,
        sets: Mapping[Ref, _Versions],
        candidates: Sequence[Candidate],
        texts: Texts,
        extra: ExtraFields,
    ) -> None:
        self._texts = texts
        self._extra = extra
        concerned = _concerned(sets, candidates)
        self._said = _read(concerned, texts, extra)
        self._wanted = {one.ref: self._worded(one) for one in concerned}
        self._renames = dict(self._find_renames(sets))
        self._sets = {ref: self._in_todays_names(ref, found) for ref, found in sets.items()}
        self._old_names = {new: old for old, new in self._renames.items()}

    def holding(self) -> Holding:
        """Return what is held."""
        held: list[Held] = []
        instead: dict[Ref, Version | None] = {}
        for ref, wanted in sorted(self._wanted.items()):
            versions = self._sets.get(ref) or self._sets.get(self._old_names.get(ref, ref), {})
            if wanted.after in versions:
                instead[ref] = self._kept(wanted.candidate)
                held.append(_held(ref, self._title(wanted.candidate), versions[wanted.after]))
        return Holding(tuple(held), instead, tuple(self._trailers(instead)))

    def _worded(self, one: Candidate) -> _Wanted:
        return _Wanted(one, self._wording(one.ref, one.before), self._wording(one.ref, one.after))

    def _wording(self, ref: Ref, version: Version | None) -> Wording | None:
        if version is None:
            return None
        return Wording(version.parent, self._said[ref[0], version.content].content)

    def _find_renames(self, sets: Mapping[Ref, _Versions]) -> Iterator[tuple[Ref, Ref]]:
        """Yield (old, new) names: one vanishes, another appears in its place or with its words."""
        gone = {r for r, w in self._wanted.items() if w.before and w.after is None}
        gone |= sets.keys() - self._wanted.keys()
        gone = {ref for ref in gone if None not in sets.get(ref, ())}
        come = {r: w.after for r, w in self._wanted.items() if w.before is None and w.after}
        followed = self._followed_by_children(gone, come)
        for old in sorted(gone):
            new = followed.get(old) or self._same_words(old, sets.get(old, {}), come)
            if new:
                del come[new]
                yield old, new

    def _followed_by_children(self, gone: set[Ref], come: Mapping[Ref, Wording]) -> dict[Ref, Ref]:
        """Return what took a parent's place: Frappe rewrites the links of the children."""
        found: dict[Ref, Ref] = {}
        for (doctype, _), wanted in sorted(self._wanted.items()):
            above = DOCTYPES[doctype].parent
            if above and wanted.before and wanted.after:
                old, new = (above, wanted.before.parent), (above, wanted.after.parent)
                if old in gone and new in come and new not in found.values():
                    found.setdefault(old, new)
        return found

    def _same_words(self, old: Ref, versions: _Versions, come: Mapping[Ref, Wording]) -> Ref | None:
        known = {version for version in versions if version}
        wanted = self._wanted.get(old)
        if wanted and wanted.before:
            known.add(wanted.before)
        matching = (new for new, words in come.items() if new[0] == old[0] and words in known)
        return min(matching, default=None)

    def _in_todays_names(self, ref: Ref, versions: _Versions) -> _Versions:
        return {self._moved(ref, version): commit for version, commit in versions.items()}

    def _moved(self, ref: Ref, version: Wording | None) -> Wording | None:
        return version and replace(version, parent=self._parent(ref, version.parent))

    def _parent(self, ref: Ref, name: str) -> str:
        above = DOCTYPES[ref[0]].parent
        return self._renames.get((above or "", name), ("", name))[1]

    def _kept(self, one: Candidate) -> Version | None:
        """Return HEAD's version, under the names that the document and its parent have now."""
        old = self._wanted.get(self._old_names.get(one.ref, one.ref))
        before = old.candidate.before if old else None
        if before is None:
            return None
        content = before.content
        if one.ref in self._old_names:
            content = self._under_name(one.ref, content)
        return Version(self._parent(one.ref, before.parent), content)

    def _under_name(self, ref: Ref, content: str) -> str:
        document = read_document(ref[0], next(self._texts.blobs([content])), self._extra)
        if document is None:
            return content
        return self._texts.add(render(replace(document, name=ref[1]), orphan=False).encode())

    def _title(self, one: Candidate) -> str:
        older = self._wanted.get(self._old_names.get(one.ref, one.ref))
        version = (older.candidate.before if older else None) or one.after
        return (version and self._said[one.ref[0], version.content].title) or one.ref[1]

    def _trailers(self, instead: Iterable[Ref]) -> Iterator[tuple[str, str]]:
        """Yield the renames that a held document depends on."""
        needed = {ref for ref in instead if ref in self._old_names}
        for ref in self._sets:
            above = DOCTYPES[ref[0]].parent or ""
            links = {version.parent for version in self._sets[ref] if version}
            needed |= {(above, name) for name in links if (above, name) in self._old_names}
        for ref in sorted(needed):
            yield RENAMED, json.dumps([*ref, self._old_names[ref][1]])


def _concerned(sets: Mapping[Ref, _Versions], candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with held versions, and what tells whether one was renamed."""
    types = {doctype for doctype, _ in sets}
    types |= {above for doctype in types if (above := DOCTYPES[doctype].parent)}
    return [
        one
        for one in candidates
        if one.ref in sets or (one.ref[0] in types and (one.before is None or one.after is None))
    ]


def _read(
    candidates: Iterable[Candidate], texts: Texts, extra: ExtraFields
) -> dict[tuple[str, str], Said]:
    """Read what versions say, by DocType and content, in one go."""
    wanted = {
        (one.ref[0], version.content): None
        for one in candidates
        for version in (one.before, one.after)
        if version
    }
    contents = texts.blobs(content for _, content in wanted)
    return {
        (doctype, content): said_in(doctype, data, extra)
        for (doctype, content), data in zip(wanted, contents, strict=True)
    }


def _held(ref: Ref, title: str, commit: LogCommit) -> Held:
    return Held(ref, title, commit.sha, commit.author, commit.date, commit.subject)


def _titles(
    repository: Repository, states: Mapping[Ref, FileState | None], extra: ExtraFields
) -> dict[Ref, str]:
    there = {ref: state.blob for ref, state in states.items() if state}
    contents = repository.blobs(there.values())
    return {
        ref: said_in(ref[0], data, extra).title for ref, data in zip(there, contents, strict=True)
    }
