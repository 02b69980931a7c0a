"""The programs that others use for a part of the work, and how each is made to do its best.

They come from packages, into a virtual environment of their own (`requirements-bench.lock`), or
stand on PATH. A peer that is missing is said where its figure would stand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.servers import S3Server

__all__ = ["AWS", "HUGO", "RCLONE", "S5CMD", "Peer", "Uploader", "missing", "peer_environment"]

_ENVIRONMENT = Path(__file__).parent.parent / ".venv-bench"
_BINARIES = (
    "lib/*/site-packages/hugo/binaries",  # in `bin` these two are Python programs that start them
    "lib/*/site-packages/s5cmd/bin",
    "bin",
)
_NUMBER = re.compile(r"\d+\.\d+[\d.]*")
_AWS_CONFIG = """\
[default]
s3 =
    max_concurrent_requests = 64
    max_queue_size = 10000
    addressing_style = path
request_checksum_calculation = when_required
response_checksum_validation = when_required
"""

Arguments = Callable[[Path, str], Sequence[str]]
"""What a program is to be told to bring a folder to a place, `bucket/prefix`."""


@dataclass(frozen=True)
class Peer:
    """A program; `asked` is what makes it tell its version."""

    name: str
    asked: str = "--version"
    is_systems_first: bool = False
    """Whether the one on PATH is the better one, where there is one."""

    @property
    def program(self) -> str | None:
        """Return where the program is; None where it is not."""
        places = [place for binaries in _BINARIES for place in _ENVIRONMENT.glob(binaries)]
        packaged = shutil.which(self.name, path=os.pathsep.join(map(str, places)))
        systems = shutil.which(self.name)
        return (systems or packaged) if self.is_systems_first else (packaged or systems)

    @property
    def path(self) -> str:
        """Return where the program is, which is known to be there."""
        return self.program or self.name

    def __str__(self) -> str:
        return f"{self.name} {_version(self)}"


@dataclass(frozen=True)
class Uploader(Peer):
    """A program that brings a folder's files to a bucket."""

    upload: Arguments = lambda folder, place: (str(folder), place)
    sync: Arguments | None = None
    """The same where most or all of it is there already; None where that is not compared."""


HUGO = Peer("hugo", "version", is_systems_first=True)
"""Debian's 0.111 renders such pages with half the processor time that 0.168 of PyPI takes."""
RCLONE = Uploader(
    "rclone",
    "version",
    upload=lambda folder, place: (
        *("copy", "--transfers=64", "--s3-no-check-bucket", "--s3-no-head", "--no-check-dest"),
        *(str(folder), f"peer:{place}"),
    ),
    sync=lambda folder, place: (
        *("sync", "--checksum", "--fast-list", "--checkers=64", "--s3-no-check-bucket"),
        *(str(folder), f"peer:{place}"),
    ),
)
S5CMD = Uploader(
    "s5cmd",
    "version",
    upload=lambda folder, place: ("--numworkers=256", "cp", f"{folder}/", f"s3://{place}/"),
    sync=lambda folder, place: ("--numworkers=256", "sync", f"{folder}/", f"s3://{place}/"),
)
AWS = Uploader(
    "aws",
    "--version",
    upload=lambda folder, place: (
        "s3",
        "cp",
        "--recursive",
        "--quiet",
        str(folder),
        f"s3://{place}/",
    ),
)


def missing(peer: Peer) -> str:
    """Return what stands in a missing peer's place."""
    return f"{peer.name} is missing"


def peer_environment(server: S3Server, folder: Path) -> Mapping[str, str]:
    """Return what the uploading programs need to know of a server."""
    config = folder / "aws-config"
    config.write_text(_AWS_CONFIG, encoding="utf-8")
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "S3_ENDPOINT_URL": server.endpoint_url,
        "RCLONE_CONFIG": str(folder / "rclone.conf"),
        "RCLONE_CONFIG_PEER_TYPE": "s3",
        "RCLONE_CONFIG_PEER_PROVIDER": "Other",
        "RCLONE_CONFIG_PEER_ENV_AUTH": "true",
        "RCLONE_CONFIG_PEER_ENDPOINT": server.endpoint_url,
        "RCLONE_CONFIG_PEER_REGION": server.region,
    }


@cache
def _version(peer: Peer) -> str:
    if not peer.program:
        return "missing"
    told = subprocess.run([peer.program, peer.asked], capture_output=True, text=True, check=False)
    number = _NUMBER.search(told.stdout + told.stderr)
    return number.group() if number else "of unknown version"
