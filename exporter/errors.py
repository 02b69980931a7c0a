"""The exception tree. Every error that a user may meet has an exit status (spec 6).

    ExporterError                  70  (only its subclasses are raised)
    ├── ContentProblem              1  findings, or a plan held back or failed
    ├── UsageError                  2  wrong usage or configuration
    │   └── ConfigError             2  exporter.yaml: file, line, suggestion
    ├── Refused                     3  a guard, a lease, an out-of-order commit, a lost race
    └── OutsideError                4  the outside failed; safe to run again
        ├── SourceError             4  the database
        ├── GitError                4  git or its remote
        ├── StoreError              4  an object store
        │   ├── StoreBusy           4  … that may do it at the next attempt
        │   └── StoreUnusable       4  … that takes nothing at all: disk full, wrong keys
        └── PurgeError              4  the CDN's purge interface
            └── PurgeBusy           4  … that is away, for this request and all others

What is not in this tree is a bug: exit status 70, with a traceback. A message says what failed,
on what, why, and what to do; it never holds a credential.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "ContentProblem",
    "ExporterError",
    "GitError",
    "OutsideError",
    "PurgeBusy",
    "PurgeError",
    "Refused",
    "SourceError",
    "StoreBusy",
    "StoreError",
    "StoreUnusable",
    "UsageError",
]


class ExporterError(Exception):
    """An expected failure: `message` says what, where and why; `hint` says what to do."""

    exit_status = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ContentProblem(ExporterError):
    """The content has findings, or a plan was held back or failed."""

    exit_status = 1


class UsageError(ExporterError):
    """The command line asks for something that cannot be done."""

    exit_status = 2


class ConfigError(UsageError):
    """`exporter.yaml` cannot be used as it stands."""


class Refused(ExporterError):
    """A guard, a lease, an out-of-order commit or a lost race stopped the run."""

    exit_status = 3


class OutsideError(ExporterError):
    """Something outside failed; nothing is lost and the command can be run again."""

    exit_status = 4


class SourceError(OutsideError):
    """The Frappe database could not be read."""


class GitError(OutsideError):
    """git, or the remote repository, failed."""


class StoreError(OutsideError):
    """An object store failed."""


class StoreBusy(StoreError):
    """An object store is busy or out of reach; the same request may succeed a little later."""


class StoreUnusable(StoreError):
    """An object store takes no object at all until somebody mends it: a full disk, wrong keys."""


class PurgeError(OutsideError):
    """The CDN did not accept a purge."""


class PurgeBusy(PurgeError):
    """The CDN's purge interface is busy or out of reach; no other purge is accepted now either."""
