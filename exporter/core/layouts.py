"""The drafts of a plan's own files, in every layout that is on (spec 4)."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.core import atomic, monolithic, search
from exporter.core.artifacts import Draft
from exporter.core.atomic import PlanFiles

__all__ = ["plan_drafts"]


def plan_drafts(files: PlanFiles) -> Iterator[Draft]:
    """Yield the drafts of a plan's own files, phase by phase."""
    rules = files.rules
    shards = search.shards_of(files.view, files.standing, files.entries)
    if rules.atomic:
        yield from atomic.topic_drafts(files)
        yield from atomic.bitmap_drafts(files)
    yield from atomic.shard_drafts(files, shards)
    if rules.atomic:
        yield from atomic.hierarchy_drafts(files)
    if rules.monolithic:
        yield from monolithic.subject_drafts(files)
    yield atomic.search_index_draft(files, shards)
    yield monolithic.manifest_draft(files) if rules.monolithic else atomic.manifest_draft(files)
