"""What the last snapshot saw, remembered outside git: each document's digest, place and content.

It lies inside `.git`, describes one commit, and is read only where HEAD is that commit, the
database and what is read of it are the same, and not a byte of what is read of it is damaged.
Deleting it costs the next snapshot time and changes nothing. A document without a digest is always
read anew.

A head has the sums of digests by part, which is all that a snapshot reads where nothing changed.
Lessons are nearly all documents of a school, so they are packed by part, and only those of parts in
which something changed are unpacked.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import cast

import orjson

from exporter import __version__
from exporter.content.candidates import Version
from exporter.core.model import DOCTYPES, LESSON, Ref
from exporter.core.parts import Part, Sums, part_of

__all__ = ["Known", "Memory", "Scope", "forget", "recall", "remember", "trusted"]

FORMAT = 2
"""Raised whenever the same rows would give another file, or the file is laid out anew."""

_Row = tuple[str, str, str, str, str, str, str | None]
_Block = int
"""The number of a part of the lessons, or `_OTHERS`."""
_OTHERS: _Block = -1
_Packed = dict[_Block, tuple[int, bytes]]
"""How many documents each block has, and their rows."""


@dataclass(frozen=True, slots=True)
class Known:
    """A document as HEAD has it."""

    path: str
    """Relative to the snapshot folder."""
    blob: str
    """Its file's; not its version's content where it is an orphan."""
    version: Version
    digest: int | None = None
    """The database's, where its version is this one; else None."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What remembered digests are good for."""

    commit: str
    folder: str
    source: str
    """The database and what is read of it (`View.identity`)."""

    @property
    def key(self) -> str:
        """Return what two scopes have in common only where they are the same."""
        shaping = repr((FORMAT, __version__, DOCTYPES, self.commit, self.folder, self.source))
        return hashlib.sha256(shaping.encode(errors="surrogateescape")).hexdigest()


class Memory:
    """What is remembered of a commit: the sums at once, documents when they are asked for."""

    def __init__(self, file: Path, head: bytes) -> None:
        """Take a file and its head, which was found to be whole."""
        self.key, self._checksum, sums, blocks = cast(
            "tuple[str, str, list[tuple[str, int, str | None]], list[tuple[int, int, int]]]",
            orjson.loads(head),
        )
        self.sums: Sums = {(doctype, number): _read(found) for doctype, number, found in sums}
        self.total = sum(documents for _, documents, _ in blocks)
        """How many documents there are."""
        self._file = file
        ends = accumulate(length for _, _, length in blocks)
        self._blocks = {
            block: (documents, slice(end - length, end))
            for (block, documents, length), end in zip(blocks, ends, strict=True)
        }
        self._body = b""

    def load(self) -> bool:
        """Read the documents; False where they cannot be trusted."""
        with suppress(OSError):
            self._body = self._file.read_bytes().split(b"\n", 2)[-1]
        return hashlib.sha256(self._body).hexdigest() == self._checksum

    def documents(self, parts: Collection[Part] | None = None) -> dict[Ref, Known]:
        """Return all documents, or all but the lessons of other parts."""
        wanted = set(self._blocks)
        if parts is not None:
            wanted &= {_OTHERS, *(number for doctype, number in parts if doctype == LESSON)}
        rows = (row for block in sorted(wanted) for row in self._rows(block))
        return {(row[0], row[1]): _known(row) for row in rows}

    def packed(self) -> _Packed:
        """Return all documents as they are stored."""
        return {
            block: (documents, self._body[place])
            for block, (documents, place) in self._blocks.items()
        }

    def _rows(self, block: _Block) -> list[_Row]:
        return cast("list[_Row]", orjson.loads(self._body[self._blocks[block][1]]))


def recall(private_dir: Path, scope: Scope) -> Memory | None:
    """Return what is remembered for this scope; None where nothing is, or it cannot be trusted."""
    try:
        with _file(private_dir).open("rb") as file:
            checksum, head = file.readline(), file.readline().rstrip(b"\n")
    except OSError:
        return None
    if checksum.rstrip(b"\n").decode(errors="replace") != hashlib.sha256(head).hexdigest():
        return None
    memory = Memory(_file(private_dir), head)
    return memory if memory.key == scope.key else None


def remember(
    private_dir: Path,
    scope: Scope,
    known: Mapping[Ref, Known],
    sums: Sums,
    last: Memory | None = None,
) -> None:
    """Replace what is remembered; a disk that cannot hold it leaves nothing behind.

    Lessons of parts that `known` has nothing of stay as they are in `last`.
    """
    blocks = last.packed() if last else {}
    blocks |= _packed(known)
    body = b"".join(packed for _, packed in blocks.values())
    listed = [(block, documents, len(packed)) for block, (documents, packed) in blocks.items()]
    written = [(*part, _written(found)) for part, found in sums.items()]
    head = orjson.dumps((scope.key, hashlib.sha256(body).hexdigest(), written, listed))
    temporary = _file(private_dir).with_suffix(".new")
    try:
        with temporary.open("wb") as file:
            file.writelines([hashlib.sha256(head).hexdigest().encode(), b"\n", head, b"\n", body])
        temporary.replace(_file(private_dir))
    except OSError:  # the snapshot itself is done: the next one will read everything
        with suppress(OSError):
            temporary.unlink()
        forget(private_dir)


def trusted(sums: Sums, known: Mapping[Ref, Known]) -> dict[Part, int | None]:
    """Return sums, but none of a part in which a document is to be looked at again."""
    uncertain = (part_of(ref) for ref, each in known.items() if each.digest is None)
    return {**sums, **dict.fromkeys(uncertain)}


def forget(private_dir: Path) -> None:
    """Drop what is remembered."""
    with suppress(OSError):
        _file(private_dir).unlink()


def _file(private_dir: Path) -> Path:
    return private_dir / "digests"


def _packed(known: Mapping[Ref, Known]) -> _Packed:
    rows: dict[_Block, list[_Row]] = defaultdict(list)
    for ref, each in known.items():
        rows[part_of(ref)[1] if ref[0] == LESSON else _OTHERS].append(_row(ref, each))
    return {block: (len(found), orjson.dumps(found)) for block, found in rows.items()}


def _row(ref: Ref, known: Known) -> _Row:
    version = known.version
    content = version.content if version.content != known.blob else ""
    return (*ref, known.path, known.blob, version.parent, content, _written(known.digest))


def _known(row: _Row) -> Known:
    _, _, path, blob, parent, content, digest = row
    return Known(path, blob, Version(parent, content or blob), _read(digest))


def _written(digest: int | None) -> str | None:
    return None if digest is None else f"{digest:x}"


def _read(written: str | None) -> int | None:
    return None if written is None else int(written, 16)
