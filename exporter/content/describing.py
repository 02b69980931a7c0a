"""A snapshot's changes in people's words, for its commit's message (spec 2, step 6).

A change's document is a stub: it says its name and title, since a first snapshot's fifty thousand
whole documents would not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.content.committed import document_in, is_orphan
from exporter.content.comparing import Comparison
from exporter.content.deciding import Decision
from exporter.content.yaml_reader import read_file, title_in
from exporter.core.changes import (
    LISTED,
    Change,
    ChangeKind,
    affected_plans,
    ancestor_paths,
    commit_message,
    subject_path,
)
from exporter.core.model import DOCTYPES, PLAN, Document, ExtraFields, Ref

__all__ = ["changes_of", "message_of", "plans_of"]

_ORDER = {doctype: position for position, doctype in enumerate(DOCTYPES)}


def changes_of(comparison: Comparison, decision: Decision) -> tuple[Change, ...]:
    """Return what changes, most important first.

    A document that only goes along with its parent is no change.
    """
    kinds = dict(_kinds(comparison, decision))
    paths = {ref: decision.paths.get(ref) or comparison.path_of(ref) for ref in kinds}
    titles = _titles(comparison, decision, kinds)
    changes = []
    for ref in sorted(kinds, key=lambda ref: (_ORDER[ref[0]], paths[ref])):
        stub = Document(*ref, {"title": titles[ref]} if titles[ref] else {})
        gone = kinds[ref] is ChangeKind.REMOVED
        before, after = (stub, None) if gone else (None, stub)
        last = comparison.path_of(ref)
        changes.append(Change(kinds[ref], paths[ref], before, after, last))
    return tuple(changes)


def message_of(
    comparison: Comparison,
    decision: Decision,
    changes: tuple[Change, ...],
    trailers: Iterable[tuple[str, str]],
) -> str:
    """Return the commit's message."""
    named = {path for change in changes[:LISTED] for path in ancestor_paths(change.path)}
    named |= {subject_path(change.path) for change in changes}
    refs = {known.path: ref for ref, known in comparison.before.items() if known.path in named}
    refs |= {path: ref for ref, path in decision.paths.items() if path in named}
    titles = _titles(comparison, decision, refs.values())
    by_path = {path: titles[ref] or ref[1] for path, ref in refs.items()}
    message = commit_message(changes, lambda path: by_path.get(path, ""), trailers)
    if changes:
        return message
    return message.replace("content: ", "content: files put where they belong", 1)


def plans_of(comparison: Comparison, decision: Decision, extra: ExtraFields) -> set[str]:
    """Return the plans that the changes affect."""
    changed = {decision.paths[ref] for ref in decision.files} | set(decision.deletions)
    before = [
        (known.path, known.blob) for ref, known in comparison.before.items() if ref[0] == PLAN
    ]
    after = [
        (path, decision.versions[ref].content)
        for ref, path in decision.paths.items()
        if ref[0] == PLAN
    ]
    plans = dict.fromkeys([*before, *after])
    contents = comparison.texts.blobs(blob for _, blob in plans)
    read = (
        (path, document_in(path, data, extra))
        for (path, _), data in zip(plans, contents, strict=True)
    )
    return affected_plans(changed, [(path, plan) for path, plan in read if plan])


def _kinds(comparison: Comparison, decision: Decision) -> Iterator[tuple[Ref, ChangeKind]]:
    yield from ((ref, ChangeKind.REMOVED) for ref in comparison.before.keys() - decision.paths)
    for ref, blob in decision.files.items():
        known = comparison.before.get(ref)
        path, parent = decision.paths[ref], decision.versions[ref].parent
        if known is None:
            yield ref, ChangeKind.ADDED
        elif known.path != path and (
            known.version.parent != parent or is_orphan(known.path) != is_orphan(path)
        ):
            yield ref, ChangeKind.MOVED
        elif known.blob != blob:
            yield ref, ChangeKind.CHANGED


def _titles(comparison: Comparison, decision: Decision, refs: Iterable[Ref]) -> dict[Ref, str]:
    """Return the titles of documents as they are, or as they were; empty where they have none."""
    titles: dict[Ref, str] = {}
    contents: dict[Ref, str] = {}
    for ref in refs:
        version = decision.versions.get(ref)
        if ref in comparison.titles and version == comparison.after[ref]:
            titles[ref] = comparison.titles[ref]
        else:
            contents[ref] = (version or comparison.before[ref].version).content
    for ref, data in zip(contents, comparison.texts.blobs(contents.values()), strict=True):
        titles[ref] = _title(data)
    return titles


def _title(data: bytes) -> str:
    """Return a file's title; the whole file is read only where its beginning does not tell."""
    found = title_in(data)
    if found is not None:
        return found
    mapping = read_file("", data).mapping or {}
    return str(mapping.get("title") or "")
