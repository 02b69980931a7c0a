"""Objects as files below a folder, for local targets and for sites served from a disk.

    root/<key>                          the body: all that a web server or a reader needs
    root/.exporter/attributes/<key>.json  content type, cache control and metadata
    root/.exporter/tmp/                 files being written
    root/.exporter/lock                 held (flock) while an object is replaced or removed

No segment of a key starts with a dot, so nothing of ours clashes with an object and no hidden file
is ever listed. A file is written whole, fsynced, and renamed into place. Attributes go in place
before the body and leave after it, so a body is never without attributes; a crash in between
leaves the old body with the new attributes, and putting the object again mends that. Reads take no
lock. An ETag is the SHA-256 of the body as it is on the disk, so a file edited by hand shows.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from exporter.errors import StoreError, StoreUnusable
from exporter.stores.base import (
    Attributes,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    PreconditionFailed,
    StoredObject,
)

__all__ = ["FolderStore"]

_HINTS = {
    errno.ENOSPC: "free some space on that disk, then run again",
    errno.EDQUOT: "free some space or raise the quota, then run again",
    errno.EACCES: "let this user write to the folder, or choose another one",
    errno.EPERM: "let this user write to the folder, or choose another one",
    errno.EROFS: "the disk is mounted read-only; choose another folder",
    errno.EEXIST: "a file stands where a folder is needed; move it away or choose another folder",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away or choose another folder",
    errno.EISDIR: "a folder stands where a file is needed; move it away or choose another folder",
    errno.ENAMETOOLONG: "the file system does not take names this long; choose another folder",
}
_UNUSABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_OTHER_HINT = "look at the folder and its disk, then run again"


@dataclass(frozen=True, slots=True)
class FolderStore:
    """An `ObjectStore` in a folder, which is made at the first put."""

    root: Path

    @property
    def label(self) -> str:
        """Name the folder."""
        return str(self.root)

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        """Write the object, whole or not at all, and return its ETag."""
        with self._translated("put", key):
            target, sidecar = self._body_path(key), self._sidecar_path(key)
            with (
                self._temporary(body) as content,
                self._temporary(_packed(attributes)) as beside,
                self._locked(),
            ):
                _require(condition, target, f"{self.label}/{key}")
                _move(beside, sidecar)
                _move(content, target)
        return _etag(body)

    def get(self, key: str) -> StoredObject | None:
        """Read the object, or return None where there is none."""
        with self._translated("get", key):
            body = _read(self._body_path(key))
            if body is None:
                return None
            return StoredObject(_info(key, body, self._attributes(key)), body)

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of the object, or None where there is none."""
        found = self.get(key)
        return found.info if found else None

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files, and the folders that this leaves empty."""
        for key in keys:
            with self._translated("delete", key):
                target, sidecar = self._body_path(key), self._sidecar_path(key)
                if target.is_file() or sidecar.is_file():
                    with self._locked():
                        _remove(target, self.root)
                        _remove(sidecar, self._attributes_root)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects below `prefix` in the order of their keys, hidden files left out."""
        with self._translated("list", prefix):
            folder = prefix.rpartition("/")[0]
            start = self._body_path(folder) if folder else self.root
            for path in _files(start):
                key = path.relative_to(self.root).as_posix()
                body = _read(path) if key.startswith(prefix) else None
                if body is not None:
                    yield _info(key, body, Attributes())

    @property
    def _own(self) -> Path:
        return self.root / ".exporter"

    @property
    def _attributes_root(self) -> Path:
        return self._own / "attributes"

    def _body_path(self, key: str) -> Path:
        """Return the file of a key; a tampered record must not lead out of the root."""
        segments = key.split("/")
        if any(not segment or segment.startswith(".") or "\0" in segment for segment in segments):
            raise StoreError(
                f"{self.label}: {key!r} is not a key for a folder",
                hint="keys are relative, and no part of one is empty or starts with a dot",
            )
        return self.root.joinpath(*segments)

    def _sidecar_path(self, key: str) -> Path:
        return self._attributes_root / f"{key}.json"

    def _attributes(self, key: str) -> Attributes:
        packed = _read(self._sidecar_path(key))
        return Attributes() if packed is None else self._unpacked(key, packed)

    def _unpacked(self, key: str, packed: bytes) -> Attributes:
        try:
            return Attributes(**orjson.loads(packed))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise StoreError(
                f"{self._sidecar_path(key)}: not the attributes of an object: {error}",
                hint="delete that file, then publish or repair the object",
            ) from error

    @contextmanager
    def _temporary(self, content: bytes) -> Iterator[Path]:
        """Write content to a new file under a short name; remove what was not moved away."""
        folder = self._own / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / secrets.token_hex(8)
        try:
            with path.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep every other thread and process from changing objects of this folder."""
        self._own.mkdir(parents=True, exist_ok=True)
        with (self._own / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _translated(self, operation: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            kind = StoreUnusable if error.errno in _UNUSABLE else StoreError
            raise kind(
                f"{self.label}: could not {operation} {key or 'objects'}: {reason}",
                hint=_HINTS.get(error.errno or 0, _OTHER_HINT),
            ) from error


def _require(condition: IfAbsent | IfMatch | None, target: Path, what: str) -> None:
    """Raise `PreconditionFailed` where the condition does not hold; the lock is held."""
    if condition is None:
        return
    current = _read(target)
    if isinstance(condition, IfAbsent) and current is not None:
        raise PreconditionFailed(f"{what} exists already")
    if isinstance(condition, IfMatch) and (current is None or _etag(current) != condition.etag):
        raise PreconditionFailed(f"{what} is no longer the one that was read")


def _read(path: Path) -> bytes | None:
    """Read a file; None where the path leads to none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _remove(path: Path, top: Path) -> None:
    """Remove a file, then its folders up to `top` while they are empty."""
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == top:
            return
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return
            raise


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder so that their whole paths are in code point order.

    A folder sorts as its name and a slash: `a.json` comes before `a/b`. Links to folders are not
    followed, since they may lead round in circles.
    """
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return
    placed = {_sorted_as(entry): Path(entry.path) for entry in entries}
    for name in sorted(placed):
        if name.endswith("/"):
            yield from _files(placed[name])
        else:
            yield placed[name]


def _sorted_as(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _packed(attributes: Attributes) -> bytes:
    return orjson.dumps(
        {
            "content_type": attributes.content_type,
            "cache_control": attributes.cache_control,
            "metadata": dict(attributes.metadata),
        }
    )


def _info(key: str, body: bytes, attributes: Attributes) -> ObjectInfo:
    return ObjectInfo(key, len(body), _etag(body), attributes)


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
