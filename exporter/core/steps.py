"""The steps of a publish: the difference between the live indexes and the new ones (spec 5).

`plan` prints this list and `publish` runs it. It is never made by listing a bucket, and it is
ordered so that no link of a live file ever leads nowhere: uploads by phase, deletions last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter.core.artifacts import Artifact, Entry, Index, linked_keys

__all__ = ["Delta", "DeleteFile", "PurgeUrls", "PutFile", "SaveRelease", "Step", "difference", "steps_of"]


@dataclass(frozen=True, slots=True)
class PutFile:
    """Upload one file; `reason` is `new` or `changed`, `size` in bytes."""

    key: str
    kind: str
    phase: int
    plan: str | None
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class SaveRelease:
    """Write the new indexes and the release record, then swap the head."""

    indexes: int


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """Delete a file that no live plan refers to any more."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class PurgeUrls:
    """Ask the CDN to forget what was put or deleted."""

    files: int


Step = PutFile | SaveRelease | DeleteFile | PurgeUrls


@dataclass(frozen=True, slots=True)
class Delta:
    """What a publish changes: files by key, and the live entries of those to delete."""

    put: Mapping[str, Artifact]
    delete: Mapping[str, Entry]
    before: Mapping[str, Entry]
    """The live entries of the files that are put over."""
    lessons: Index
    """The shared lessons as they will be live."""


def difference(
    made: Iterable[Artifact],
    old_plans: Mapping[str, Index],
    new_plans: Mapping[str, Index],
    lessons: tuple[Index, Index],
    still_linked: Callable[[], Iterable[Index]],
) -> Delta:
    """Return what has to be put and deleted.

    `old_plans` holds the live indexes of the plans that are built or removed, `new_plans` their new
    ones; `lessons` the live shared index and the newly built one; `still_linked` gives the live
    indexes of all other plans, and is only asked when a lesson has lost a reader.
    """
    live_lessons, built_lessons = lessons
    live = {**live_lessons, **_merged(old_plans.values())}
    new = {**built_lessons, **_merged(new_plans.values())}
    put = {a.key: a for a in made if a.key in new and _differs(live.get(a.key), a.entry)}
    dropped = _merged(old_plans.values()).keys() - _merged(new_plans.values()).keys()
    orphaned = _lesson_keys(old_plans, live_lessons) - _lesson_keys(new_plans, {**live_lessons, **built_lessons})
    if orphaned:
        orphaned -= {key for index in still_linked() for key in linked_keys(index.values())}
    gone = {key: live[key] for key in sorted(dropped | orphaned)}
    kept = {key: entry for key, entry in live_lessons.items() if key not in gone}
    before = {key: live[key] for key in put if key in live}
    return Delta(put, gone, before, {**kept, **built_lessons})


def steps_of(delta: Delta, *, indexes: int, purges: bool) -> Iterator[Step]:
    """Yield the steps in the order in which they are run."""
    for artifact in sorted(delta.put.values(), key=lambda a: (a.kind.phase, a.key)):
        reason = "changed" if artifact.key in delta.before else "new"
        kind = artifact.kind
        yield PutFile(
            artifact.key, kind.value, kind.phase, artifact.plan, reason, artifact.entry.size
        )
    yield SaveRelease(indexes)
    for key in sorted(delta.delete, key=_deletion_order):
        yield DeleteFile(key, "no live plan refers to it")
    if purges and (delta.put or delta.delete):
        yield PurgeUrls(len(delta.put) + len(delta.delete))


def _differs(live: Entry | None, new: Entry) -> bool:
    return live is None or (live.digest, live.version) != (new.digest, new.version)


def _merged(indexes: Iterable[Index]) -> dict[str, Entry]:
    return {key: entry for index in indexes for key, entry in index.items()}


def _lesson_keys(plans: Mapping[str, Index], lessons: Index) -> set[str]:
    """Return the shared lessons that these plans link to."""
    return {key for index in plans.values() for key in linked_keys(index.values()) if key in lessons}


def _deletion_order(key: str) -> tuple[int, str]:
    """Order deletions as references first: manifests, hierarchies, …, lessons."""
    name = key.rpartition("/")[2]
    if key.startswith("lessons/"):
        return (3, key)
    if name == "manifest.json":
        return (0, key)
    return (1 if name.endswith("_h.json") or name == "search_index.json" else 2, key)
