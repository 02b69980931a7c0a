"""What differs between HEAD and the database, document by document, before anything is decided.

This is the seam between reading and writing: `comparing` says what differs, a `HoldRule` may veto
any of it, `snapshot` writes the rest. A version says nothing of paths: a document whose ancestor
moved is the same version in the same place, and its path follows from what is decided above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.content.repository import Commit, Repository
from exporter.content.texts import Texts
from exporter.core.model import Ref

__all__ = ["Candidate", "Held", "HoldRule", "Holding", "Replaced", "Version", "nothing_held"]


@dataclass(frozen=True, slots=True)
class Version:
    """A document at one moment: whose child it is, and what it says."""

    parent: str
    """The name that the parent link holds; empty where the DocType has none."""
    content: str
    """The blob hash of its text without the parent link: of its file, unless it is an orphan."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document of which the database's version is not HEAD's; None is "does not exist"."""

    ref: Ref
    before: Version | None
    """HEAD's."""
    after: Version | None
    """The database's."""
    path: str
    """HEAD's file, relative to the snapshot folder; empty where it has none."""


@dataclass(frozen=True, slots=True)
class Held:
    """A database version that is not taken, and the commit by which people rolled it back."""

    ref: Ref
    title: str
    commit: str
    author: str
    date: str
    reason: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """A version that a person wrote by hand, and that the database's takes the place of."""

    ref: Ref
    title: str
    commit: str
    author: str


@dataclass(frozen=True, slots=True)
class Holding:
    """What is not taken from the database, and what stands in its place."""

    held: tuple[Held, ...] = ()
    instead: Mapping[Ref, Version | None] = field(default_factory=dict)
    """The version that stays: HEAD's as a rule, None for "does not exist"."""
    trailers: tuple[tuple[str, str], ...] = ()
    """Lines for the end of the commit's message."""
    replaced: tuple[Replaced, ...] = ()
    """What people wrote by hand, and the database does not have."""


HoldRule = Callable[[Repository, Commit, Sequence[Candidate], Texts], Holding]
"""Decide which candidates are not taken from the database."""


def nothing_held(
    _repository: Repository, _head: Commit, _candidates: Sequence[Candidate], _texts: Texts
) -> Holding:
    """Take every version that the database has."""
    return Holding()
