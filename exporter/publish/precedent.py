"""The release that a rollback goes back to: what of it still stands is not made again (spec 5).

With digests in keys, the files of earlier releases stand side by side until `gc` deletes them, and
each release keeps the indexes that name them. Where the snapshot folder is, to the byte, that of
such a release, and fingerprint and exporter are the same as well, a build gives the files that its
indexes name, if it gives them the same versions; and it gives each file the version of the form
that stands. So a plan's files of a subject are taken from there where all of them stand, and the
shared ones that they lead to. Everything else is made, manifests and search indexes always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress

from exporter.content.repository import Commit
from exporter.core.artifacts import Entry, Index, linked_keys
from exporter.core.release import Outcome, Release
from exporter.core.standing import Standing, standing_subjects
from exporter.errors import GitError, StoreError
from exporter.publish.ledger import Ledger
from exporter.publish.prepared import Workspace

__all__ = ["Precedent", "find_precedent"]

Stands = Callable[[str], Entry | None]
"""Return the file that stands under a key, if it has the version that a build would give it.

The key says what the bytes are, so it is the one that the release had there.
"""

_NAMED = re.compile(r"^Exporter-Rollback: ([\w-]{1,39})$", re.MULTILINE)
"""A release's id; what is longer is a commit's hash."""


def find_precedent(
    workspace: Workspace, ledger: Ledger, live: Release, commit: Commit, message: str
) -> Release | None:
    """Return the release that a rollback's commit goes back to, where it is of the same content.

    It is the one that the message names, or the one before the live release; None where neither
    is, or where files do not stand on for long.
    """
    if not workspace.check_rules.rules.hashed or workspace.signed:
        return None
    names = filter(None, dict.fromkeys((*_NAMED.findall(message), live.parent_release)))
    records = (_record(ledger, name) for name in names)
    return next((one for one in records if one and _is_same(workspace, one, commit)), None)


class Precedent:
    """An earlier release of the content that is published now."""

    def __init__(
        self, ledger: Ledger, release: Release, plans: Iterable[str], stands: Stands
    ) -> None:
        """Read the indexes of some of its plans, those that were live in full."""
        self.release = release
        self._stands = stands
        known = {name: one for name in plans if (one := release.plans.get(name))}
        whole = {name: one.index for name, one in known.items() if self._is_whole(one)}
        self._plans = dict(zip(whole, ledger.indexes(whole.values()), strict=True))
        self._sound: set[str] = set()
        """Shared files that stand, as far as they were looked at."""

    def subjects(self, plan: str, wanted: set[str]) -> dict[str, Standing]:
        """Return those subjects of a plan of which all files stand, shared ones included."""
        if plan not in self._plans or not wanted:
            return {}
        found = standing_subjects(plan, wanted, self._plans[plan])
        return {name: one for name, one in found.items() if self._stand(one.files)}

    def shared_by(self, files: Iterable[Index]) -> Index:
        """Return the shared files that some that stand lead to."""
        found = list(files)
        keys = linked_keys(entry for one in found for entry in one.values()).difference(*found)
        return {key: entry for key in sorted(keys) if (entry := self._stands(key))}

    def _is_whole(self, outcome: Outcome) -> bool:
        """Tell whether a plan's files were all of the release's commit."""
        same = (outcome.commit, outcome.lessons) == (self.release.commit, self.release.lessons)
        return same and not outcome.is_behind

    def _stand(self, files: Index) -> bool:
        shared = linked_keys(files.values()) - files.keys() - self._sound
        if not all(map(self._stands, shared)):
            return False
        self._sound |= shared
        return all(self._stands(key) == entry for key, entry in files.items())


def _record(ledger: Ledger, name: str) -> Release | None:
    with suppress(StoreError):  # another target's release, perhaps: then everything is made
        return ledger.release(name)
    return None


def _is_same(workspace: Workspace, release: Release, commit: Commit) -> bool:
    """Tell whether a release is of the same content, and was made by the same means."""
    made = (release.fingerprint, release.exporter)
    if made != (workspace.fingerprint, workspace.exporter):
        return False
    with suppress(GitError):  # its commit is not in this clone
        return not workspace.repository.changed_paths(release.commit, commit.sha, workspace.folder)
    return False
