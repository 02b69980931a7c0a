"""The content of a commit, or of the work tree, as a snapshot with findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from exporter.content.parsed import FreshlyParsed, Parsing, stats_below
from exporter.content.repository import Commit, Repository
from exporter.content.yaml_reader import lines_of, read_file
from exporter.core.files import parse_mapping
from exporter.core.findings import Finding
from exporter.core.loading import Loaded, ParsedFile, assemble_ordered, reading_order
from exporter.core.model import DOCTYPES, PLAN, Document, ExtraFields
from exporter.core.patching import with_edited
from exporter.core.tree import place_of

__all__ = [
    "Content",
    "parse_documents",
    "plans_at",
    "read_commit",
    "read_tree",
    "read_worktree",
    "reread_worktree",
]

_COMPOSED_FILES = 64
"""Files with their places kept in mind while findings are located; most stand file by file."""


@dataclass(frozen=True, slots=True)
class Content:
    """The snapshot folder of one moment: what it holds, and how to read a file of it again."""

    loaded: Loaded
    text: Callable[[str], str]
    """The text of a file by its path; empty where there is none."""
    commit: Commit | None
    """None for a work tree."""

    def located(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return findings with their lines, which are looked up only for what is reported."""
        lines = lru_cache(maxsize=_COMPOSED_FILES)(lambda path: lines_of(self.text(path)))

        def line(found: Finding) -> int:
            return lines(found.path)(found.pointer) if found.pointer else 1

        return [found if found.line else replace(found, line=line(found)) for found in findings]


def read_commit(
    repository: Repository,
    commit: Commit,
    folder: str,
    extra: ExtraFields,
    known: Parsing | None = None,
) -> Content:
    """Read the snapshot folder as a commit has it, without touching the work tree."""
    return read_tree(repository, commit, repository.tree(commit.sha, folder), extra, known)


def read_tree(
    repository: Repository,
    commit: Commit,
    tree: Mapping[str, str],
    extra: ExtraFields,
    known: Parsing | None = None,
) -> Content:
    """Read some files of a commit's snapshot folder, given as blob hashes by path."""
    ordered = {path: tree[path] for path in sorted(tree, key=reading_order)}
    parsed = (known or FreshlyParsed()).of_blobs(ordered, repository.blobs)
    return Content(assemble_ordered(parsed, extra), partial(_blob_text, repository, tree), commit)


def read_worktree(folder: Path, extra: ExtraFields, known: Parsing | None = None) -> Content:
    """Read the snapshot folder as it stands on disk."""
    found = stats_below(folder)
    stats = {path: found[path] for path in sorted(found, key=reading_order)}
    parsed = (known or FreshlyParsed()).of_folder(folder, stats)
    return Content(assemble_ordered(parsed, extra), partial(_file_text, folder), None)


def reread_worktree(
    folder: Path, content: Content, paths: Iterable[str], extra: ExtraFields
) -> Content | None:
    """Read again what was edited in files of a work tree; None where all has to be read."""
    loaded: Loaded | None = content.loaded
    for path in paths:
        file = read_file(path, (folder / path).read_bytes()) if (folder / path).is_file() else None
        loaded = with_edited(loaded, file, extra) if loaded and file else None
    return replace(content, loaded=loaded) if loaded else None


def plans_at(
    repository: Repository, commit: Commit, folder: str, extra: ExtraFields
) -> list[tuple[str, Document]]:
    """Return the readable plans of a commit with their paths, without reading anything else."""
    prefix = f"{folder}/{DOCTYPES[PLAN].folder}"
    tree = repository.tree(commit.sha, prefix)
    paths = {f"{DOCTYPES[PLAN].folder}/{name}": blob for name, blob in tree.items()}
    return list(parse_documents(repository, paths, extra).items())


def parse_documents(
    repository: Repository, blobs: dict[str, str], extra: ExtraFields
) -> dict[str, Document]:
    """Return the readable documents among some blobs, by path; parent links are left out."""
    found = {}
    for file in _parse(blobs, repository.blobs(blobs.values())):
        place = place_of(file.path)
        if place is None or file.mapping is None:
            continue
        doctype = DOCTYPES[place.doctype]
        document, _ = parse_mapping(doctype, file.mapping, None, extra.get(doctype.name, ()))
        if document:
            found[file.path] = document
    return found


def _parse(paths: Iterable[str], contents: Iterable[bytes]) -> Iterator[ParsedFile]:
    for path, data in zip(paths, contents, strict=True):
        yield read_file(path, data)


def _blob_text(repository: Repository, tree: Mapping[str, str], path: str) -> str:
    blob = tree.get(path)
    return next(repository.blobs([blob])).decode(errors="replace") if blob else ""


def _file_text(folder: Path, path: str) -> str:
    file = folder / path
    return file.read_bytes().decode(errors="replace") if file.is_file() else ""
