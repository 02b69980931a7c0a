"""Writing snapshot files into the work tree so that a kill at any point can be undone.

Before the first file is touched, `intent.json` inside `.git` lists what is going to be written; it
is removed after the commit. A run that finds one puts those files back, unless somebody else has
edited them since. Each file is written under a temporary name and renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.content.repository import Repository
from exporter.content.texts import Texts
from exporter.errors import GitError, Refused

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock
    fcntl = None  # type: ignore[assignment]

__all__ = ["Writes", "finished", "only_one", "recover", "write"]


_TEMPORARY = ".~snapshot"


@dataclass(frozen=True, slots=True)
class Writes:
    """Files to write and to delete, by path relative to the repository's root."""

    blobs: Mapping[str, str]
    """The blob hashes of the files to write."""
    deletions: Sequence[str]

    @property
    def paths(self) -> list[str]:
        """Return every path that is touched."""
        return sorted({*self.blobs, *self.deletions})


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


def write(repository: Repository, writes: Writes, texts: Texts) -> None:
    """Write and delete files, with a note of it inside `.git` until `finished`.

    Raises:
        GitError: the disk is full or refuses; what was written is undone.
    """
    planned = {**writes.blobs, **dict.fromkeys(writes.deletions, "")}
    try:
        _write_file(_intent(repository), json.dumps(planned).encode())
        contents = texts.blobs(writes.blobs.values())
        for path, data in zip(writes.blobs, contents, strict=True):
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
    The caller keeps other snapshots out.
    """
    repository.drop_dead_locks()
    intent = _intent(repository)
    try:
        planned: dict[str, str] = json.loads(intent.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        planned = {}
    for path in planned:
        (repository.root / path).with_name(_TEMPORARY).unlink(missing_ok=True)
    with closing(Texts(repository)) as texts:
        _put_back(repository, planned, texts)
    intent.unlink()
    return True


def _put_back(repository: Repository, planned: Mapping[str, str], texts: Texts) -> None:
    """Make files HEAD's again where they are as planned, in the work tree and in the index."""
    root, head = repository.root, repository.head()
    committed = repository.files(head.sha) if head else {}
    found = {path: _blob_of(root / path, texts) for path in planned}
    ours = {path for path, blob in found.items() if blob == planned[path]}
    differing = [path for path in sorted(ours) if committed.get(path, "") != planned[path]]
    back = [path for path in differing if path in committed]
    for path, data in zip(back, texts.blobs(committed[path] for path in back), strict=True):
        _write_file(root / path, data)
    for path, blob in found.items():
        if path not in committed and (path in ours or not blob):
            _delete(root, path)  # or the empty folder that was made for it
    repository.stage(sorted(ours))


def _intent(repository: Repository) -> Path:
    return repository.private_dir / "intent.json"


def _blob_of(file: Path, texts: Texts) -> str:
    return texts.hash(file.read_bytes()) if file.is_file() else ""


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
        if folder == root:
            return
        if folder.is_dir():
            if any(folder.iterdir()):
                return
            folder.rmdir()
