"""Putting together what the shards of a matrix publish made, and clearing away what they left.

Whoever finishes needs the record of every shard, of this very publish. What shards put for a
publish that nobody finished is deleted by `gc`, once the record is older than a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from exporter.build.bench import Stamps
from exporter.build.builder import Built
from exporter.core.artifacts import Artifact, Index, Kind
from exporter.core.findings import Finding
from exporter.core.release import Kept
from exporter.core.steps import shared_reach
from exporter.errors import Refused
from exporter.publish.journal import Written, newest
from exporter.publish.run import moment
from exporter.publish.shards import Binding, Shard, ShardRecord, all_shards, read_shard
from exporter.stores.base import ObjectStore

__all__ = [
    "Abandoned",
    "Gathered",
    "abandoned",
    "forget",
    "forget_finished",
    "gather",
    "needed",
    "prepared_files",
]

GRACE = timedelta(days=1)
"""A shard's record that is older is of a publish that nobody will finish."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all shards of a publish made and put; by itself, nothing."""

    built: Built = field(default_factory=lambda: Built({}, {}, ()))
    manifests: tuple[Artifact, ...] = ()
    removed: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)
    put: Index = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    def without(
        self, failed: Mapping[str, str], spoilt: Mapping[str, Written]
    ) -> tuple[Mapping[str, str], Mapping[str, Written], Index]:
        """Add what failed here: the plans that failed with why, what must go, what goes live.

        What must go is what was put for plans that failed alone, and what is `spoilt`.
        """
        together = {**self.failed, **failed}
        stay = needed(self.built, together) if self.put else {}
        left = {
            key: Written(entry.digest, entry.version, unseen=True)
            for key, entry in self.put.items()
            if key not in stay
        }
        return together, newest(left, spoilt), {k: e for k, e in self.put.items() if k in stay}


def gather(
    store: ObjectStore,
    binding: Binding,
    shares: Sequence[frozenset[str]],
    stamps: Stamps,
) -> Gathered:
    """Return what the shards made, given the plans that each was to make.

    `stamps` says which versions these files would get now.

    Raises:
        Refused: a shard is missing, not complete, or of another publish.
        StoreError: a record cannot be read.
    """
    records: list[ShardRecord] = []
    wrong: dict[Shard, str] = {}
    numbered = ((Shard(i, len(shares)), share) for i, share in enumerate(shares, start=1))
    for shard, share in numbered:
        if not share:
            continue
        found = read_shard(store, binding.key(shard))
        if found is None:
            wrong[shard] = _elsewhere(store, binding, shard)
        elif not found[0].is_ready:
            wrong[shard] = f"was begun at {found[0].at} and is not complete"
        elif found[0].share != share or _is_outdated(found[0], stamps):
            wrong[shard] = "was prepared before another publish, which was left unfinished"
        else:
            records.append(found[0])
    if wrong:
        raise _refusal(wrong)
    return _together(records)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What shards left that nobody finished: files with when they were put, records with ETags."""

    files: Mapping[str, Kept]
    records: Mapping[str, str]


def abandoned(store: ObjectStore, now: datetime) -> Abandoned:
    """Return what shards left more than a day ago; nothing that a younger one counts on."""
    files: dict[str, Kept] = {}
    records: dict[str, str] = {}
    running: set[str] = set()
    for key, record, etag in all_shards(store):
        written = moment(record.at)
        if now - written > GRACE:
            records[key] = etag
            put_at = int(written.timestamp())
            files.update({name: Kept(one, put_at) for name, one in record.put_entries.items()})
        else:
            running.update(record.put)
    return Abandoned({key: one for key, one in files.items() if key not in running}, records)


def prepared_files(store: ObjectStore) -> set[str]:
    """Return the files that shards put, or may have put, for publishes that are not finished."""
    return {key for _, record, _ in all_shards(store) for key in record.put}


def forget(store: ObjectStore, records: Mapping[str, str]) -> None:
    """Remove records, but for those that were written again since they were read."""
    found = ((key, etag, store.head(key)) for key, etag in records.items())
    store.delete([key for key, etag, info in found if info and info.etag == etag])


def forget_finished(store: ObjectStore, binding: Binding, count: int) -> None:
    """Remove the records of a publish that is live."""
    store.delete([binding.key(Shard(number, count)) for number in range(1, count + 1)])


def needed(built: Built, failed: Collection[str]) -> Index:
    """Return the files of the plans that did not fail, shared ones included."""
    plans = [index for name, index in built.plans.items() if name not in failed]
    reached = shared_reach(plans, built.lessons)
    shared = {key: entry for key, entry in built.lessons.items() if key in reached}
    return {**shared, **{key: entry for index in plans for key, entry in index.items()}}


def _elsewhere(store: ObjectStore, binding: Binding, shard: Shard) -> str:
    """Say why a shard's record is not there: the newest of another publish tells."""
    name = binding.key(shard).removeprefix(binding.folder)
    same = [one for key, one, _ in all_shards(store) if key.endswith(f"/{name}")]
    newest_one = max(same, key=lambda one: one.at, default=None)
    return binding.unlike(newest_one.binding) if newest_one else "is missing"


def _is_outdated(record: ShardRecord, stamps: Stamps) -> bool:
    """Tell whether a manifest's version was given away since, by a publish that died."""
    manifests = ((one.key, one.entry) for one in _manifests(record))
    return any(stamps.version(key, entry.digest) != entry.version for key, entry in manifests)


def _refusal(wrong: Mapping[Shard, str]) -> Refused:
    told = "; ".join(f"shard {shard} {why}" for shard, why in wrong.items())
    again = ", ".join(f"`exporter publish --prepare --shard {shard}`" for shard in wrong)
    return Refused(
        f"this publish is not prepared in full: {told}",
        hint=f"run {again} at this commit, then finish; or publish on one machine",
    )


def _together(records: Sequence[ShardRecord]) -> Gathered:
    plans = {name: index for one in records for name, index in one.built.plans.items()}
    lessons = {key: entry for one in records for key, entry in one.built.lessons.items()}
    findings = [finding for one in records for finding in one.built.findings]
    return Gathered(
        Built(dict(sorted(plans.items())), lessons, _merged(findings)),
        tuple(manifest for one in records for manifest in _manifests(one)),
        frozenset().union(*(one.removed for one in records)),
        {name: why for one in records for name, why in one.held.items()},
        {key: entry for one in records for key, entry in one.put_entries.items()},
        {name: why for one in records for name, why in one.failed.items()},
    )


def _manifests(record: ShardRecord) -> Iterator[Artifact]:
    for name, index in record.built.plans.items():
        for key in index.keys() & record.manifests.keys():
            yield Artifact(key, Kind.MANIFEST, name, index[key], record.manifests[key])


def _merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings once each, with the plans of all shards that found them."""
    found: dict[Finding, set[str]] = {}
    for one in findings:
        found.setdefault(replace(one, plans=()), set()).update(one.plans)
    return tuple(replace(one, plans=tuple(sorted(plans))) for one, plans in found.items())
