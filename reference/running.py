"""The command line in this process, run as a certain person with no settings of their own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from exporter.cli import main

__all__ = ["run", "somebody"]

_KEPT = ("HOME", "PATH", "TMPDIR")
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "LOGNAME": "sara",
    "GIT_AUTHOR_NAME": "Sara",
    "GIT_AUTHOR_EMAIL": "sara@example.org",
    "GIT_COMMITTER_NAME": "Sara",
    "GIT_COMMITTER_EMAIL": "sara@example.org",
    "MEDIA_AWS_ACCESS_KEY_ID": "an-example",
    "MEDIA_AWS_SECRET_ACCESS_KEY": "an-example",
}


def run(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command in a folder; exit status, standard output, standard error.

    It is run in this process, by the `main` that the `exporter` on the command line is.
    """
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["exporter", "-C", str(root), "--quiet", *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as leaving:
        return int(leaving.code or 0), out.getvalue(), err.getvalue()
    finally:
        sys.argv = before
    raise RuntimeError("the command line always ends in an exit status")


@contextmanager
def somebody(besides: Mapping[str, str]) -> Iterator[None]:
    """Be a certain person for a while, with no other settings than these."""
    before = dict(os.environ)
    kept = {name: before[name] for name in _KEPT if name in before}
    os.environ.clear()
    os.environ.update({**kept, **_ENVIRONMENT, **besides})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
