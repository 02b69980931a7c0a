"""What a snapshot writes: versions are settled first, then paths, then files (spec 2, spec 5).

A path follows from the parent links of all documents together, so a held topic keeps what is below
it in place, and a document whose parent is not there becomes an orphan, whose file says its parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.content.candidates import Candidate, Version
from exporter.content.committed import document_in, is_orphan, orphan_text, paths_of
from exporter.content.comparing import Comparison, spool_placed
from exporter.content.digests import Known
from exporter.core.model import ExtraFields, Ref

__all__ = ["Decision", "as_it_was", "decide", "in_full", "known_after"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The next commit's documents, and the files that make HEAD's snapshot folder into it."""

    versions: Mapping[Ref, Version]
    paths: Mapping[Ref, str]
    files: Mapping[Ref, str]
    """Blobs of the files to write, by their documents."""
    deletions: Sequence[str]
    """Paths of the files to delete."""


def in_full(
    comparison: Comparison,
    candidates: Sequence[Candidate],
    instead: Mapping[Ref, Version | None],
) -> Comparison:
    """Return a comparison with all that `decide` needs: where paths may change, of everything."""
    return comparison if _all_stay(candidates, instead) else comparison.whole()


def decide(
    comparison: Comparison,
    candidates: Sequence[Candidate],
    instead: Mapping[Ref, Version | None],
    extra: ExtraFields,
) -> Decision:
    """Take the database's version of every document, but for those that stay as they are."""
    versions = dict(comparison.after)
    for ref, version in instead.items():
        if version is None:
            versions.pop(ref, None)
        else:
            versions[ref] = version
    paths = _paths(comparison, candidates, instead, versions)
    unsettled = [
        ref for ref, path in paths.items() if not _settled(comparison, ref, path, versions)
    ]
    spool_placed(comparison, unsettled, extra)
    before = comparison.before
    files = {
        ref: blob
        for ref, blob in _files(comparison, unsettled, versions, paths, extra)
        if ref not in before or (before[ref].path, before[ref].blob) != (paths[ref], blob)
    }
    deletions = comparison.files - set(paths.values())
    return Decision(versions, paths, files, sorted(deletions))


def as_it_was(comparison: Comparison, then: Mapping[Ref, Known]) -> Decision:
    """Take the documents of another commit, each in its file as that commit has it."""
    before = comparison.before
    paths = {ref: known.path for ref, known in then.items()}
    files = {
        ref: known.blob
        for ref, known in then.items()
        if ref not in before or (before[ref].path, before[ref].blob) != (known.path, known.blob)
    }
    deletions = comparison.files - set(paths.values())
    return Decision(comparison.after, paths, files, sorted(deletions))


def known_after(
    comparison: Comparison, decision: Decision, instead: Mapping[Ref, Version | None]
) -> dict[Ref, Known]:
    """Return what to remember of the next commit; what is held is looked at again each time."""
    return {
        ref: Known(
            path,
            decision.files.get(ref) or comparison.before[ref].blob,
            decision.versions[ref],
            None if ref in instead else comparison.digests.get(ref),
        )
        for ref, path in decision.paths.items()
    }


def _paths(
    comparison: Comparison,
    candidates: Sequence[Candidate],
    instead: Mapping[Ref, Version | None],
    versions: Mapping[Ref, Version],
) -> Mapping[Ref, str]:
    """Return all paths: HEAD's, where a snapshot wrote them and nobody came, went or moved."""
    if comparison.remembered and _all_stay(candidates, instead):
        return {ref: known.path for ref, known in comparison.before.items()}
    return paths_of(versions)


def _all_stay(candidates: Sequence[Candidate], instead: Mapping[Ref, Version | None]) -> bool:
    """Tell whether nobody comes, goes or moves."""
    return all(
        each.before
        and (version := instead.get(each.ref, each.after))
        and version.parent == each.before.parent
        for each in candidates
    )


def _settled(comparison: Comparison, ref: Ref, path: str, versions: Mapping[Ref, Version]) -> bool:
    """Tell whether HEAD's file of a document is right, as far as that can be told at once."""
    known = comparison.before.get(ref)
    if known is None or (known.path, known.version) != (path, versions[ref]):
        return False
    return comparison.remembered or not is_orphan(path)


def _files(
    comparison: Comparison,
    refs: Sequence[Ref],
    versions: Mapping[Ref, Version],
    paths: Mapping[Ref, str],
    extra: ExtraFields,
) -> Iterator[tuple[Ref, str]]:
    """Yield the blobs of documents' files."""
    texts = comparison.texts
    orphans = [ref for ref in refs if is_orphan(paths[ref])]
    yield from ((ref, versions[ref].content) for ref in refs if not is_orphan(paths[ref]))
    contents = texts.blobs([versions[ref].content for ref in orphans])
    for ref, data in zip(orphans, contents, strict=True):
        document = document_in(paths[ref], data, extra)
        if document:
            yield ref, texts.add(orphan_text(document, versions[ref].parent))
