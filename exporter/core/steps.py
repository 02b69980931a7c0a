"""The steps of a publish: the difference between the live indexes and the new ones (spec 5).

`plan` prints this list and `publish` runs it. It is never made by listing a bucket, and it is
ordered so that no link of a live file ever leads nowhere: uploads by phase, deletions last.

Shared files (lessons, units) belong to no plan: one is live while a live plan leads to it, also
through other shared files.

A file whose key carries a digest (`addressing`) is not deleted when it is live no more: it is
retired, stands on for readers of older manifests and for rollbacks, and `gc` deletes it. So are the
stable files of a target that goes over to such keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from exporter.core.addressing import carries_digest, has_digest, is_manifest, plain_key
from exporter.core.artifacts import Artifact, Entry, Index, linked_keys

__all__ = [
    "DeleteFile",
    "Delta",
    "PurgeUrls",
    "PutFile",
    "SaveRelease",
    "Sides",
    "Step",
    "deletion_phases",
    "difference",
    "shared_reach",
    "steps_of",
]

DELETED_AT_ONCE = 1_000
"""Files that are deleted without a look at the lease: what S3 deletes in one request."""


@dataclass(frozen=True, slots=True)
class PutFile:
    """Upload one file; `reason` is `new`, `changed` or `put right`, `size` in bytes."""

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
class Sides:
    """Both sides of a publish: the plans that it builds or removes, and the shared files."""

    old_plans: Mapping[str, Index]
    new_plans: Mapping[str, Index]
    old_shared: Index
    new_shared: Index
    """What the new plans lead to."""
    hashed: bool = False
    """Whether the new files carry digests in their keys."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a publish changes: files by key, and the live entries of those to delete."""

    put: Mapping[str, Artifact] = field(default_factory=dict)
    delete: Mapping[str, Entry] = field(default_factory=dict)
    before: Mapping[str, Entry] = field(default_factory=dict)
    """The live entries of the files that are put over."""
    lessons: Index = field(default_factory=dict)
    """The shared files as they will be live."""
    leftovers: Mapping[str, int] = field(default_factory=dict)
    """What unfinished publishes left and nothing refers to: keys to delete, with a version."""
    retired: Index = field(default_factory=dict)
    """What stands on although it is live no more, until `gc` deletes it."""

    @property
    def unseen(self) -> set[str]:
        """Return the keys that no cache can hold in another form: they say what the bytes are."""
        put = self.put.items()
        new = {k for k, one in put if k not in self.before and carries_digest(k, one.data)}
        return new | {key for key in (*self.delete, *self.leftovers) if has_digest(key)}

    @property
    def touches(self) -> bool:
        """Tell whether anything is put or deleted."""
        return bool(self.put or self.delete or self.leftovers)


def difference(
    made: Iterable[Artifact],
    sides: Sides,
    still_live: Callable[[], Iterable[Index]],
    dirty: Mapping[str, int],
) -> Delta:
    """Return what has to be put and deleted.

    `still_live` gives the live indexes of all other plans; it is asked only when a shared file has
    lost a reader. `dirty` names keys under which another form than the live one may stand, each
    with a version: these are put again even where they do not differ, and none is retired under a
    key that carries a digest, as a rollback would count on it unseen, but deleted.
    """
    old, new = _merged(sides.old_plans.values()), _merged(sides.new_plans.values())
    live, coming = {**sides.old_shared, **old}, {**sides.new_shared, **new}
    put = {
        one.key: one
        for one in made
        if coming.get(one.key) == one.entry
        and (one.key in dirty or _differs(live.get(one.key), one.entry))
    }
    gone = (old.keys() - new.keys()) | _orphaned(sides, still_live)
    stand = {key for key in gone if not is_manifest(key) and (sides.hashed or has_digest(key))}
    retired = {key for key in stand if key not in dirty or not has_digest(key)}
    kept = {key: entry for key, entry in sides.old_shared.items() if key not in gone}
    shared = {**kept, **sides.new_shared}
    return Delta(
        put,
        {key: live[key] for key in sorted(gone - retired, key=_deletion_order)},
        {key: live[key] for key in put if key in live},
        shared,
        {key: dirty[key] for key in dirty if key not in shared.keys() | new.keys() | gone},
        {key: live[key] for key in sorted(retired)},
    )


def shared_reach(indexes: Iterable[Index], shared: Index) -> set[str]:
    """Return the shared files that some plans lead to, directly or through one another."""
    reached = linked_keys(entry for index in indexes for entry in index.values()) & shared.keys()
    new = reached
    while new := (linked_keys(map(shared.__getitem__, new)) & shared.keys()) - reached:
        reached |= new
    return reached


def steps_of(delta: Delta, *, indexes: int, purges: bool, records: bool = True) -> Iterator[Step]:
    """Yield the steps in the order in which they are run."""
    for artifact in sorted(delta.put.values(), key=lambda a: (a.kind.phase, a.key)):
        kind, entry = artifact.kind, artifact.entry
        reason = _reason(delta.before.get(artifact.key), entry)
        yield PutFile(artifact.key, kind.value, kind.phase, artifact.plan, reason, entry.size)
    if records:
        yield SaveRelease(indexes)
    for keys in deletion_phases((*delta.delete, *delta.leftovers)):
        for key in keys:
            known = key in delta.delete
            yield DeleteFile(
                key, "no live plan refers to it" if known else "an unfinished publish left it"
            )
    touched = {*delta.put, *delta.delete, *delta.leftovers}
    if purges and (changed := len(touched - delta.unseen)):
        yield PurgeUrls(changed)


def deletion_phases(keys: Iterable[str]) -> Iterator[list[str]]:
    """Yield keys in the order in which they may be deleted: what refers first, each phase whole.

    A large phase comes in parts, so that whoever deletes can renew its lease between two of them.
    """
    ordered = sorted(keys, key=_deletion_order)
    for _, phase in groupby(ordered, key=lambda key: _deletion_order(key)[0]):
        whole = list(phase)
        for start in range(0, len(whole), DELETED_AT_ONCE):
            yield whole[start : start + DELETED_AT_ONCE]


def _orphaned(sides: Sides, still_live: Callable[[], Iterable[Index]]) -> set[str]:
    """Return the shared files that have lost their last reader, a plan or another shared file."""
    if _all_lead_on(sides):  # nearly every edit: no need to follow each link of every plan
        return set()
    together = {**sides.old_shared, **sides.new_shared}
    pairs = ((sides.old_shared.get(key), new) for key, new in sides.new_shared.items())
    relinked = [old for old, new in pairs if old and old.links != new.links]
    lost = shared_reach(sides.old_plans.values(), sides.old_shared)
    lost |= linked_keys(relinked) & sides.old_shared.keys()
    lost -= shared_reach(sides.new_plans.values(), together)
    return lost - shared_reach(still_live(), together) if lost else lost


def _all_lead_on(sides: Sides) -> bool:
    """Tell whether every file is still there and leads where it led, so that nothing is lost."""
    new = sides.new_plans
    return all(
        _leads_as(index, new.get(plan, {}), must_stay=True)
        for plan, index in sides.old_plans.items()
    ) and _leads_as(sides.old_shared, sides.new_shared, must_stay=False)


def _leads_as(old: Index, new: Index, *, must_stay: bool) -> bool:
    """Tell whether files lead where they led; what is in `new` only, or may go, is no matter."""
    if must_stay and not old.keys() <= new.keys():
        return False
    return all(old[key].links == new[key].links for key in old.keys() & new.keys())


def _reason(live: Entry | None, new: Entry) -> str:
    if live is None:
        return "new"
    return "changed" if _differs(live, new) else "put right"


def _differs(live: Entry | None, new: Entry) -> bool:
    return live is None or (live.digest, live.version) != (new.digest, new.version)


def _merged(indexes: Iterable[Index]) -> dict[str, Entry]:
    return {key: entry for index in indexes for key, entry in index.items()}


def _deletion_order(key: str) -> tuple[int, str]:
    """Order deletions as references first: manifests, hierarchies, …, units, lessons."""
    folder, _, name = plain_key(key).rpartition("/")
    if key.startswith("lessons/"):
        return (4, key)
    if key.startswith("units/"):
        return (3, key)
    if name == "manifest.json":
        return (0, key)
    refers = name.endswith("_h.json") or name == "search_index.json" or folder.endswith("/subjects")
    return (1 if refers else 2, key)
