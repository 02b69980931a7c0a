"""Content and builds from documents or files, without a repository, for tests of whole builds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from exporter.build.bench import Stamps, nothing_live
from exporter.build.builder import Built, build
from exporter.build.inspection import CheckRules, Inspection, inspect
from exporter.content.reading import Content
from exporter.content.yaml_reader import read_file
from exporter.core.artifacts import Artifact, Rules
from exporter.core.files import render
from exporter.core.findings import Severities
from exporter.core.loading import assemble
from exporter.core.model import Document
from exporter.core.tree import grow
from exporter.workers import Workers

__all__ = ["BOTH", "MONOLITHIC", "TIME", "Made", "content_of", "files_of", "make", "make_in"]

TIME = 1_795_249_241
MONOLITHIC = CheckRules(Rules(layouts=("monolithic",)))
BOTH = CheckRules(Rules(layouts=("atomic", "monolithic")))


@dataclass(frozen=True, slots=True)
class Made:
    """What a build made; `files` holds every file that belongs to the outcome."""

    inspection: Inspection
    built: Built
    files: Mapping[str, bytes]
    seen: list[Artifact] = field(default_factory=list)

    @property
    def bodies(self) -> dict[str, Any]:
        """Return the files parsed."""
        return {key: json.loads(data) for key, data in self.files.items()}

    @property
    def codes(self) -> list[str]:
        """Return the codes of all findings."""
        return sorted(f.code for f in (*self.inspection.findings, *self.built.findings))


def files_of(*documents: Document) -> dict[str, str]:
    """Return the snapshot files of documents by path."""
    snapshot = grow(documents)
    return {
        snapshot.paths[one.ref]: render(one, orphan=snapshot.is_orphan(one)) for one in documents
    }


def content_of(
    files: Mapping[str, str | bytes], extra: Mapping[str, tuple[str, ...]] | None = None
) -> Content:
    """Return the content of snapshot files by path."""
    data = {path: t if isinstance(t, bytes) else t.encode() for path, t in files.items()}
    parsed = (read_file(path, data[path]) for path in data)
    return Content(
        assemble(parsed, extra or {}),
        lambda path: data.get(path, b"").decode(errors="replace"),
        None,
    )


def make_in(folder: Path, content: Content, rules: CheckRules, workers: Workers) -> Made:
    """Build content with workers, which write the files below an empty folder."""
    inspection = inspect(content, rules)
    built = build(inspection, rules, Stamps(nothing_live, TIME), partial(_write, folder), workers)
    files = {key: (folder / key).read_bytes() for key in built.entries()}
    return Made(inspection, built, files)


def _write(folder: Path, artifact: Artifact) -> None:
    (folder / artifact.key).parent.mkdir(parents=True, exist_ok=True)
    (folder / artifact.key).write_bytes(artifact.data)


def make(content: Content, rules: CheckRules | None = None, plans: set[str] | None = None) -> Made:
    """Build content as a first release would."""
    rules = rules or CheckRules(Rules(), Severities())
    inspection = inspect(content, rules, plans)
    seen: list[Artifact] = []
    stamps = Stamps(lambda _key: None, TIME)
    built = build(inspection, rules, stamps, seen.append)
    kept = built.keys()
    files = {one.key: one.data for one in seen if one.key in kept}
    return Made(inspection, built, files, seen)
