"""Preparing one shard of a publish: its plans built, checked and put, all but their manifests.

No lease is taken: what is put is named by its bytes, and nothing leads to it. The record is written
first, so that what a shard that died has put is known (`shards`). A plan of which the upload fails
for good has failed, as in a publish on one machine; whoever finishes says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from exporter.core.addressing import is_manifest
from exporter.core.artifacts import Artifact
from exporter.core.segments import possible_segments
from exporter.core.steps import Delta
from exporter.errors import StoreBusy
from exporter.publish.gathering import needed
from exporter.publish.guarding import refuse_unsure_files
from exporter.publish.preparation import Preparation
from exporter.publish.prepared import Prepared
from exporter.publish.run import Run, instant
from exporter.publish.settling import Work, readers
from exporter.publish.shards import Shard, ShardRecord, save_shard
from exporter.publish.uploading import Uploader

__all__ = ["prepare_shard"]


def prepare_shard(
    preparation: Preparation, shard: Shard, uploader: Uploader, run: Run
) -> ShardRecord:
    """Make and put a shard's share; a shard without plans leaves no record.

    Raises:
        Refused: an unfinished publish left more than manifests, or another run prepares this shard.
        StoreError: the store takes nothing; run it again.
    """
    state = preparation.state
    refuse_unsure_files(state.noted, state.dirty)
    chosen, work = preparation.wanted()
    share = preparation.shares(chosen, shard.of)[shard.number - 1]
    made = preparation.make(set(share), _with_old(preparation, work, share)) if share else work
    record = _record(preparation, shard, share, made, run)
    if not share:
        return replace(record, is_ready=True)
    store = state.ledger.store
    there = store.head(record.binding.key(shard))
    etag = save_shard(store, record, there.etag if there else None)
    failed = _put(preparation, made, uploader)
    ready = replace(record, failed=failed, is_ready=True, at=instant(run.now()))
    save_shard(store, ready, etag)
    return ready


def _with_old(preparation: Preparation, work: Work, share: frozenset[str]) -> Work:
    """Add the live indexes of a share's plans, and of those whose folders may become theirs."""
    folders = {folder for name in share for folder in possible_segments(name)}
    before = preparation.state.before
    near = {name for name in before if not folders.isdisjoint(possible_segments(name))}
    return replace(work, old=preparation.state.indexes(near))


def _record(
    preparation: Preparation, shard: Shard, share: frozenset[str], made: Work, run: Run
) -> ShardRecord:
    built = replace(made.built, findings=made.findings)
    return ShardRecord(
        shard,
        preparation.binding,
        instant(run.now()),
        share=share,
        built=built,
        manifests={one.key: one.data for one in made.made if is_manifest(one.key)},
        removed=made.removed,
        held=made.held,
        put=tuple(_files(made, {})),
    )


def _files(made: Work, failed: Mapping[str, str]) -> dict[str, Artifact]:
    """Return the files to put: those of plans that did not fail, all but the manifests."""
    stay = needed(made.built, failed)
    return {
        one.key: one
        for one in made.made
        if stay.get(one.key) == one.entry and not is_manifest(one.key)
    }


def _put(preparation: Preparation, made: Work, uploader: Uploader) -> dict[str, str]:
    """Put the files; return the plans that failed, with why."""
    failed: dict[str, str] = {}
    prepared = _prepared(preparation, made, failed)
    while new := uploader.upload(prepared):
        error = next(iter(new.values()))
        away = all(isinstance(one, StoreBusy) for one in new.values())
        if not uploader.has_put or (away and new.keys() >= prepared.uploading):
            raise error
        failed.update({plan: problem.message for plan, problem in new.items()})
        prepared = _prepared(preparation, made, failed)
    return failed


def _prepared(preparation: Preparation, made: Work, failed: Mapping[str, str]) -> Prepared:
    """Return what is left to put, as the uploader takes it."""
    plans = {name: index for name, index in made.built.plans.items() if name not in failed}
    return Prepared(
        preparation.commit,
        preparation.state.live,
        preparation.state.noted,
        Delta(_files(made, failed)),
        outcomes={},
        lessons="",
        fingerprint=preparation.workspace.fingerprint,
        readers=readers(plans, made.built.lessons),
    )
