"""A build's folder, written beside the old one and put in its place as a whole (spec 6)."""

from __future__ import annotations

import glob
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.core.artifacts import Artifact
from exporter.errors import OutsideError, UsageError

__all__ = ["Staging"]

_MARK = ".exporter-build"


class Staging:
    """A folder in the making; what is there stays until `replace`, also if this is killed."""

    def __init__(self, out: Path) -> None:
        """Prepare to replace a folder.

        Raises:
            UsageError: it is there, is not empty, and no build made it.
        """
        self._out = out.absolute()
        self._bring_back()
        if self._out.exists() and any(self._out.iterdir()) and not (self._out / _MARK).exists():
            raise UsageError(
                f"{out} holds files that no build wrote; a build replaces the whole folder",
                hint="choose an empty folder with --out, or empty this one yourself",
            )
        self._new = self._out.with_name(f".{self._out.name}.{secrets.token_hex(4)}")
        self.files = 0
        self.bytes = 0

    def _bring_back(self) -> None:
        """Put the old folder back where a build was killed in the midst of `replace`."""
        left = sorted(self._out.parent.glob(f".{glob.escape(self._out.name)}.????????.old"))
        if left and not self._out.exists():
            left[-1].rename(self._out)

    def __enter__(self) -> Self:
        try:
            self._new.mkdir(parents=True)
        except OSError as error:
            raise OutsideError(f"{self._new} cannot be made: {error.strerror}") from error
        (self._new / _MARK).touch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._new, ignore_errors=True)
        if isinstance(error, OSError):
            raise OutsideError(
                f"{self._out} cannot be written: {error.strerror}",
                hint="make room, or choose another folder with --out",
            ) from error

    def add(self, artifact: Artifact) -> None:
        """Write one file."""
        file = self._new / artifact.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(artifact.data)
        self.files += 1
        self.bytes += len(artifact.data)

    def keep_only(self, keys: set[str]) -> None:
        """Remove the files of plans that turned out to be held back."""
        for file in [path for path in self._new.rglob("*.json") if path.is_file()]:
            if file.relative_to(self._new).as_posix() not in keys:
                self.files -= 1
                self.bytes -= file.stat().st_size
                file.unlink()

    def replace(self) -> None:
        """Put the new folder in the place of the old one."""
        old = self._new.with_name(self._new.name + ".old")
        if self._out.exists():
            self._out.rename(old)
        self._new.rename(self._out)
        shutil.rmtree(old, ignore_errors=True)
