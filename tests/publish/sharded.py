"""A publish by several machines in turn, for tests: each prepares its shard, one finishes."""

from __future__ import annotations

from exporter.content.repository import Commit
from exporter.publish.gathering import forget_finished
from exporter.publish.planning import PublishOptions, Workspace, begin, prepare
from exporter.publish.prepared import Prepared
from exporter.publish.publisher import Published
from exporter.publish.sharding import prepare_shard
from exporter.publish.shards import Binding, Shard, ShardRecord
from exporter.stores.base import ObjectStore
from tests.publish.publishing import Target

__all__ = ["ANY", "finish", "finishing", "prepare_all", "prepare_one"]

ANY = PublishOptions(allow_mass_delete=True)


def prepare_one(
    target: Target,
    commit: Commit,
    shard: Shard,
    place: Workspace | None = None,
    cdn: ObjectStore | None = None,
) -> ShardRecord | None:
    """Prepare a shard; None where there is nothing to do."""
    place = place or target.school.addressed(hashed=True)
    begun = begin(place, target.ledger, commit, ANY)
    if isinstance(begun, Prepared):
        return None
    run = target.run(release_id=f"shard-{shard.number}")
    target.runs -= 1
    return prepare_shard(begun, shard, target.publisher(cdn).unleased(run), run)


def prepare_all(
    target: Target, commit: Commit, count: int, place: Workspace | None = None
) -> list[ShardRecord | None]:
    """Prepare every shard of a publish."""
    shards = (Shard(number, count) for number in range(1, count + 1))
    return [prepare_one(target, commit, shard, place) for shard in shards]


def finishing(
    target: Target, commit: Commit, count: int, place: Workspace | None = None
) -> Prepared:
    """Return what finishing a publish will do."""
    place = place or target.school.addressed(hashed=True)
    options = PublishOptions(allow_mass_delete=True, shards=count)
    return prepare(place, target.ledger, commit, options)


def finish(
    target: Target, commit: Commit, count: int, place: Workspace | None = None
) -> Published | None:
    """Finish a publish that was prepared; None where there is nothing to do."""
    prepared = finishing(target, commit, count, place)
    if prepared.is_nothing:
        return None
    published = target.publisher().publish(prepared, target.run())
    forget_finished(
        target.state, Binding.to(commit.sha, prepared.live.head, prepared.fingerprint), count
    )
    return published
