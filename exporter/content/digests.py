"""What the last snapshot saw, remembered outside git: each document's digest, place and content.

It lies inside `.git`, describes one commit, and is read only where HEAD is that commit, the
database and what is read of it are the same, and not a byte of it is damaged. Deleting it costs the
next snapshot time and changes nothing. A document without a digest is always read anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from exporter import __version__
from exporter.content.candidates import Version
from exporter.core.model import DOCTYPES, Ref

__all__ = ["Known", "Scope", "forget", "recall", "remember"]

FORMAT = 1
"""Raised whenever the same rows would give another file, or the file is laid out anew."""


@dataclass(frozen=True, slots=True)
class Known:
    """A document as HEAD has it."""

    path: str
    """Relative to the snapshot folder."""
    blob: str
    """Its file's; not its version's content where it is an orphan."""
    version: Version
    digest: str | None = None
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


def recall(private_dir: Path, scope: Scope) -> dict[Ref, Known] | None:
    """Return what is remembered for this scope; None where nothing is, or it cannot be trusted."""
    try:
        checksum, _, stored = _file(private_dir).read_bytes().partition(b"\n")
    except OSError:
        return None
    if checksum.decode(errors="replace") != hashlib.sha256(stored).hexdigest():
        return None
    key, rows = cast("tuple[str, list[list[str]]]", orjson.loads(stored))
    return {(row[0], row[1]): _known(row) for row in rows} if key == scope.key else None


def remember(private_dir: Path, scope: Scope, known: Mapping[Ref, Known]) -> None:
    """Replace what is remembered; a disk that cannot hold it leaves nothing behind."""
    rows = [_row(ref, each) for ref, each in known.items()]
    stored = orjson.dumps([scope.key, rows])
    temporary = _file(private_dir).with_suffix(".new")
    try:
        temporary.write_bytes(hashlib.sha256(stored).hexdigest().encode() + b"\n" + stored)
        temporary.replace(_file(private_dir))
    except OSError:  # the snapshot itself is done: the next one will read everything
        with suppress(OSError):
            temporary.unlink()
        forget(private_dir)


def forget(private_dir: Path) -> None:
    """Drop what is remembered."""
    with suppress(OSError):
        _file(private_dir).unlink()


def _file(private_dir: Path) -> Path:
    return private_dir / "digests"


def _row(ref: Ref, known: Known) -> tuple[str | None, ...]:
    version = known.version
    content = version.content if version.content != known.blob else ""
    return (*ref, known.path, known.blob, version.parent, content, known.digest)


def _known(row: list[str]) -> Known:
    _, _, path, blob, parent, content, digest = row
    return Known(path, blob, Version(parent, content or blob), digest)
