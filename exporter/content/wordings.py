"""A document's version in words that can be compared, whatever file it stood in (spec 5, "Holds").

A version is whose child the document is and what it says. The path, the way its YAML is written and
its own name do not count: none of them is what a person rolled back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from exporter.content.repository import Repository
from exporter.content.yaml_reader import read_file
from exporter.core.files import parse_mapping, to_mapping
from exporter.core.lineage import FileState
from exporter.core.model import DOCTYPES, Document, ExtraFields, Ref
from exporter.core.tree import place_of
from exporter.core.yamltext import emit

__all__ = ["Said", "Wording", "Wordings", "name_in", "read_document", "said_in"]


@dataclass(frozen=True, slots=True)
class Wording:
    """A version as it is compared: whose child the document is, and what it says but its name."""

    parent: str
    content: str
    title: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says: a digest of all but name and parent, its title, and an orphan's link."""

    content: str
    title: str
    parent: str = ""


def said_in(doctype: str, data: bytes, extra: ExtraFields) -> Said:
    """Return what a file says; one that cannot be read says its bytes."""
    document = read_document(doctype, data, extra)
    if document is None:
        return Said(hashlib.sha256(data).hexdigest(), "")
    mapping = to_mapping(document, orphan=False)
    del mapping["name"]
    content = hashlib.sha256(emit(mapping).encode()).hexdigest()
    return Said(content, document.title, document.parent)


def read_document(doctype: str, data: bytes, extra: ExtraFields) -> Document | None:
    """Return the document in a file, None where it cannot be read; only an orphan has a parent."""
    mapping = read_file("", data).mapping
    if mapping is None:
        return None
    return parse_mapping(DOCTYPES[doctype], mapping, None, extra.get(doctype, ()))[0]


def name_in(doctype: str, data: bytes) -> str:
    """Return the `name` in a file; empty where it cannot be read.

    The first line is enough where it is there that the name stands, as in all of ours.
    """
    first, _, _ = data.partition(b"\n")
    for text in (first + b"\n", data):
        mapping = read_file(doctype, text).mapping
        name = mapping.get("name") if mapping else None
        if isinstance(name, str) and name:
            return name
    return ""


class Wordings:
    """Reads many versions of files with one git process each for files and their parents."""

    def __init__(self, repository: Repository, folder: str, extra: ExtraFields) -> None:
        self._repository = repository
        self._folder = folder
        self._extra = extra
        self._wanted: dict[tuple[Ref, str, FileState], str] = {}
        self._read: dict[tuple[Ref, str, FileState], Wording] = {}

    def want(self, ref: Ref, commit: str, state: FileState | None) -> None:
        """Ask for a file's version in a commit."""
        if state:
            place = place_of(state.path)
            above = place.parent_path if place else None
            self._wanted[ref, commit, state] = f"{commit}:{self._folder}/{above}" if above else ""

    def read(self) -> None:
        """Read everything that was asked for."""
        parents = sorted({above for above in self._wanted.values() if above})
        files = zip(parents, self._objects(parents), strict=True)
        names = {above: name_in("", data or b"") for above, data in files}
        blobs = sorted({state.blob for _, _, state in self._wanted})
        contents = dict(zip(blobs, self._objects(blobs), strict=True))
        for (ref, commit, state), above in self._wanted.items():
            parent = names.get(above) or _segment_above(state.path)
            said = said_in(ref[0], contents[state.blob] or b"", self._extra)
            self._read[ref, commit, state] = Wording(
                said.parent or parent, said.content, said.title
            )

    def get(self, ref: Ref, commit: str, state: FileState | None) -> Wording | None:
        """Return a version that was read."""
        return self._read[ref, commit, state] if state else None

    def _objects(self, specs: Sequence[str]) -> Iterator[bytes | None]:
        """Yield objects by hash or `commit:path`; None where there is none."""
        feed = "".join(f"{spec}\n" for spec in specs).encode(errors="surrogateescape")
        output = self._repository.git("cat-file", "--batch", "--buffer", feed=feed)
        at = 0
        for _ in specs:
            end = output.index(b"\n", at)
            header = output[at:end].split()
            at = end + 1
            if header[-1:] == [b"missing"]:
                yield None
                continue
            size = int(header[-1])
            yield output[at : at + size]
            at += size + 1


def _segment_above(path: str) -> str:
    """Return the parent's name as far as a path tells it; empty where nothing is above."""
    place = place_of(path)
    above = place_of(place.parent_path) if place and place.parent_path else None
    return unquote(above.segment) if above else ""
