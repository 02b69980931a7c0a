"""The demo school's published files: what the examples in the schemas of published kinds are.

The school is made, snapshotted at a fixed time and built, so that the same bytes come out each
time. Of each kind the smallest of the fullest files is taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.build.schemas import published_kinds, validator
from exporter.demo.site import create_site
from reference.recording import CONFIG
from reference.running import run, somebody

__all__ = ["published_examples"]

_WHEN = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-11-21T08:20:41Z")
_LARGE = 800
"""Lessons; enough for a search index in shards."""
_SHARD = "SUBJECT-BIO"
_KEPT = 2
"""Lessons of that subject that are left, so that its shard can be read by people."""


def published_examples(folder: Path) -> dict[str, list[Any]]:
    """Return the examples of each published kind; the folder is empty and is filled."""
    with somebody(_WHEN):
        small = _school(folder / "small", 20)
        found = dict(_chosen(_built(small, "[atomic]")))
        found.update(
            (kind, example)
            for kind, example in _chosen(_built(small, "[atomic, monolithic]"))
            if kind.startswith("monolithic-")
        )
        large = dict(_chosen(_built(_large(folder / "large"), "[atomic]"), sharded=True))
    return {
        **{kind: [example] for kind, example in found.items()},
        "search-index": [found["search-index"], large["search-index"]],
        "search-shard": [large["search-shard"]],
    }


def _school(root: Path, lessons: int) -> Path:
    """Make a content repository with the demo school's snapshot."""
    root.mkdir(parents=True)
    (root / "exporter.yaml").write_text(CONFIG, encoding="utf-8")
    create_site(root / "site.db", lessons)
    run(root, "init")
    run(root, "snapshot")
    return root


def _large(root: Path) -> Path:
    _school(root, _LARGE)
    subject = root / "content-snapshot" / "subjects" / _SHARD
    lessons = sorted(path for path in subject.rglob("*.yaml") if not path.name.startswith("_"))
    for lesson in lessons[_KEPT:]:
        lesson.unlink()
    return root


def _built(root: Path, layouts: str) -> Path:
    config = f"{CONFIG}build: {{layouts: {layouts}}}\n"
    (root / "exporter.yaml").write_text(config, encoding="utf-8")
    run(root, "build", "--worktree", "--out", "build")
    return root / "build"


def _chosen(folder: Path, *, sharded: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield one file of each kind that a build has."""
    bodies = [path.read_bytes() for path in sorted(folder.rglob("*.json"))]
    documents = sorted(((json.loads(body), len(body)) for body in bodies), key=_readable)
    seen = set()
    for document, _ in documents:
        kind = _kind(document)
        if kind not in seen and document.get("is_sharded", sharded) is sharded:
            seen.add(kind)
            yield kind, document


def _readable(sized: tuple[Mapping[str, Any], int]) -> tuple[int, int, str]:
    """Order by how many keys a document has, the most first, then by size."""
    document, size = sized
    return -len(document), size, str(document.get("id", ""))


def _kind(document: Mapping[str, Any]) -> str:
    """Return the kind of a published file; it fits the schema of no other."""
    (kind,) = (kind for kind in published_kinds() if not validator(kind)(document))
    return kind
