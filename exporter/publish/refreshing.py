"""Signing media URLs again before they expire (spec 4, `exporter refresh`).

Which lessons are due is read from `signed.json` alone; only these are made again from git and put.
Where the rules are others than those that the lessons were signed by, all lessons are looked at.
Versions and indexes stay as they are: the content did not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.config import Media
from exporter.core.artifacts import Artifact
from exporter.core.release import Kind
from exporter.publish.guarding import refuse_other_store
from exporter.publish.ledger import Ledger
from exporter.publish.livefiles import LiveFiles
from exporter.publish.prepared import Prepared, Workspace
from exporter.publish.restoring import Rebuilt
from exporter.publish.signatures import SignedLessons, rules_digest

__all__ = ["Due", "Refresh", "due_lessons", "refresh"]


@dataclass(frozen=True, slots=True)
class Due:
    """The lessons to sign again; with `everything`, all that may hold a URL are looked at."""

    keys: frozenset[str]
    known: frozenset[str]
    """The live lessons that hold signed URLs."""
    everything: bool


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a refresh does: None where nothing has to be put; `lost` could not be made again."""

    prepared: Prepared | None = None
    lost: tuple[str, ...] = ()


def due_lessons(
    live: LiveFiles, signed: SignedLessons, media: Media, now: float, *, everything: bool = False
) -> Due:
    """Return the lessons that have to be signed again at a time in Unix seconds, or all of them."""
    lessons = {key for key in live.shared if key.startswith("lessons/")}
    known = frozenset(key for key in lessons if signed.of(key, live.entries[key]))
    if everything or signed.rules != rules_digest(media):
        return Due(frozenset(lessons), known, everything=True)
    return Due(known & signed.due(media, now), known, everything=False)


def refresh(
    workspace: Workspace, ledger: Ledger, live: LiveFiles, due: Due, media: Media
) -> Refresh:
    """Work out the release that signs the due lessons again.

    Raises:
        GitError: the live commit is not in this clone.
        Refused: the live files are in another store.
    """
    refuse_other_store(ledger, live.state)
    files = live.rebuilt(workspace, ledger, due.keys)
    lost = tuple(sorted(files.missing))
    if due.everything:
        prefixes = [rule.prefix.encode() for rule in media.signed]
        found = files.found
        files = _only(
            files, (key for key in found if key in due.known or _holds(found[key], prefixes))
        )
    if not files.found:
        return Refresh(lost=lost)
    return Refresh(live.putting(workspace, Kind.REFRESH, files), lost)


def _only(files: Rebuilt, keys: Iterable[str]) -> Rebuilt:
    found = {key: files.found[key] for key in keys}
    return Rebuilt(found, {key: files.commits[key] for key in found}, files.missing)


def _holds(lesson: Artifact, prefixes: Sequence[bytes]) -> bool:
    """Tell whether a lesson may hold a URL to sign; one that does not is put for nothing once."""
    return any(prefix in lesson.data for prefix in prefixes)
