"""Contents put into git as blobs: all of a run go through one `git fast-import`.

Many become one pack, few become loose objects, as after a fetch. Nothing refers to them until a
commit does, so what a killed or refused run leaves there is swept up by git's own `gc`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from exporter.content.repository import Repository
from exporter.errors import GitError

__all__ = ["Storing", "hash_files", "storing"]

FED_AT_A_TIME = 1 << 20
"""Bytes: git and the writing of files wait for each other less often."""

_FAST_IMPORT = ["git", "-c", "pack.compression=1", "fast-import", "--quiet", "--depth=0"]
"""As quick as `git add`, which compresses as little and makes no deltas either."""


class Storing:
    """A `git fast-import` at work, once there is something to store."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, data: bytes) -> None:
        """Put a content into git; it is there for certain when the block has ended."""
        process = self._process = self._process or self._start()
        if process.stdin:
            process.stdin.write(b"blob\ndata %d\n%b\n" % (len(data), data))

    def finish(self) -> None:
        """Wait until everything is stored.

        Raises:
            GitError: git failed.
        """
        process = self._process
        if process is None:
            return
        with suppress(BrokenPipeError):  # its exit status tells why
            _, said = process.communicate()
        if process.returncode:
            report = self._repository.private_dir.parent / f"fast_import_crash_{process.pid}"
            report.unlink(missing_ok=True)
            reason = said.decode(errors="replace").strip().split("\n", 1)[0]
            raise GitError(f"git fast-import failed in {self._repository.root}: {reason}")

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            _FAST_IMPORT,
            cwd=self._repository.root,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            pipesize=FED_AT_A_TIME,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )


@contextmanager
def storing(repository: Repository) -> Iterator[Storing]:
    """Take contents to be put into git in the block; at its end they are there.

    Raises:
        GitError: git failed.
    """
    store = Storing(repository)
    try:
        yield store
    except BrokenPipeError:
        pass
    finally:
        store.finish()


def hash_files(
    repository: Repository, paths: Iterable[str], *, store: bool = False
) -> dict[str, str]:
    """Return the blobs that files of the work tree are to git; empty where there is none."""
    blobs, root = dict.fromkeys(paths, ""), repository.root
    files = [path for path in blobs if "\n" not in path and (root / path).is_file()]
    listing = "".join(f"{path}\n" for path in files).encode(errors="surrogateescape")
    command = ["hash-object", *(["-w"] if store else []), "--stdin-paths"]
    hashes = repository.git(*command, feed=listing).decode().split()
    return blobs | dict(zip(files, hashes, strict=True))
