"""Writing snapshot files into the work tree so that a kill at any point can be undone.

Before the first file is touched, `intent.json` inside `.git` lists what is going to be written; it
is removed after the commit. A run that finds one puts those files back, unless somebody else has
edited them since. Each file is written under a temporary name and renamed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.content.repository import Repository
from exporter.errors import GitError, Refused

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock
    fcntl = None  # type: ignore[assignment]

__all__ = ["Writes", "blob_hash", "finished", "only_one", "recover", "write"]


_TEMPORARY = ".~snapshot"


@dataclass(frozen=True, slots=True)
class Writes:
    """Files to write and to delete, by path relative to the repository's root."""

    texts: Mapping[str, bytes]
    deletions: Sequence[str]

    @property
    def paths(self) -> list[str]:
        """Return every path that is touched."""
        return sorted({*self.texts, *self.deletions})


def blob_hash(data: bytes, like: str = "") -> str:
    """Return the hash that git gives these bytes; `like` shows the repository's hash length."""
    algorithm = "sha256" if len(like) == 64 else "sha1"
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def only_one(repository: Repository) -> Iterator[None]:
    """Keep a second snapshot in the same clone out while this one runs.

    Raises:
        Refused: another process holds the lock; the system frees it when that process ends.
    """
    lock = repository.private_dir / "lock"
    with lock.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(
                f"another snapshot is running in {repository.root}",
                hint="wait until it has ended; it is safe to run again then",
            ) from error
        yield


def write(repository: Repository, writes: Writes) -> None:
    """Write and delete files, with a note of it inside `.git` until `finished`."""
    planned = {path: blob_hash(data) for path, data in writes.texts.items()}
    planned.update(dict.fromkeys(writes.deletions, ""))
    _write_file(_intent(repository), json.dumps(planned).encode())
    try:
        for path, data in writes.texts.items():
            _write_file(repository.root / path, data)
        for path in writes.deletions:
            _delete(repository.root, path)
    except OSError as error:
        recover(repository)
        raise GitError(
            f"the work tree could not be written: {error.strerror}: {error.filename}",
            hint="make room or mend the permissions; nothing was committed",
        ) from error


def finished(repository: Repository) -> None:
    """Forget the note: what was written is committed, or meant to stay uncommitted."""
    _intent(repository).unlink(missing_ok=True)


def recover(repository: Repository) -> bool:
    """Undo what a killed snapshot left in the work tree; tell whether there was anything.

    A file that is neither as planned nor as HEAD has it was edited by somebody since: it stays.
    """
    intent = _intent(repository)
    try:
        planned: dict[str, str] = json.loads(intent.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        planned = {}
    for path in planned:
        (repository.root / path).with_name(_TEMPORARY).unlink(missing_ok=True)
    ours = [path for path, sha in planned.items() if _hash_of(repository.root / path) == sha]
    repository.restore(ours)
    intent.unlink()
    return True


def _intent(repository: Repository) -> Path:
    return repository.private_dir / "intent.json"


def _hash_of(file: Path) -> str:
    return blob_hash(file.read_bytes()) if file.is_file() else ""


def _write_file(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(_TEMPORARY)
    try:
        temporary.write_bytes(data)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _delete(root: Path, path: str) -> None:
    file = root / path
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == root or any(folder.iterdir()):
            return
        folder.rmdir()
