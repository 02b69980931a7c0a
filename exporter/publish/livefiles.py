"""The files of the live release, as the indexes say: what `verify` and `refresh` start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.content.deepening import find_or_fetch
from exporter.core.artifacts import Artifact, Entry
from exporter.core.release import Kept, Kind, Release
from exporter.core.steps import Delta
from exporter.errors import GitError, UsageError
from exporter.publish.ledger import Ledger, LiveState, Noted
from exporter.publish.prepared import Prepared, Workspace
from exporter.publish.restoring import SHARED, Rebuilt, rebuild

__all__ = ["LiveFiles", "read_live_files"]


@dataclass(frozen=True, slots=True)
class LiveFiles:
    """The live release, its files by object key, and what is unfinished on the target."""

    state: LiveState
    release: Release
    entries: Mapping[str, Entry]
    plans: Mapping[str, str]
    """The plan of each file; `SHARED` for the shared ones."""
    noted: Noted
    kept: Mapping[str, Kept]
    """What stands on although it is live no more."""

    @property
    def shared(self) -> dict[str, Entry]:
        """Return the shared files (lessons, units)."""
        return {key: self.entries[key] for key, plan in self.plans.items() if plan == SHARED}

    def rebuilt(self, workspace: Workspace, ledger: Ledger, keys: Iterable[str]) -> Rebuilt:
        """Return the bytes of some of the files, made again from git."""
        wanted: dict[str, list[str]] = {}
        for key in sorted(keys):
            wanted.setdefault(self.plans[key], []).append(key)
        return rebuild(workspace, ledger, self.state, wanted)

    def putting(
        self, workspace: Workspace, kind: Kind, files: Rebuilt, extra: Iterable[str] = ()
    ) -> Prepared:
        """Return a release that puts live files again and deletes what no release knows.

        Its content, indexes and plans are those of the live release. What an unfinished publish
        left elsewhere stays noted for the next publish.

        Raises:
            GitError: the live commit is not in this clone and cannot be fetched.
        """
        commit = find_or_fetch(workspace.repository, self.release.commit)
        if commit is None:
            raise GitError(
                f"the live commit {self.release.commit[:12]} is not in this clone, so nothing can "
                "be made again from it",
                hint="run `git fetch --unshallow`, then again",
            )
        put: dict[str, Artifact] = dict(files.found)
        leftovers = dict.fromkeys(extra, 0)
        unsure = self.noted.journal.dirty(self.release.id)
        return Prepared(
            commit,
            self.state,
            self.noted,
            Delta(
                put,
                before={key: self.entries[key] for key in put},
                lessons=self.shared,
                leftovers=leftovers,
            ),
            self.release.plans,
            self.release.lessons,
            self.release.fingerprint,
            kind=kind,
            plans=frozenset(self.plans[key] for key in put) - {SHARED},
            origins=files.commits,
            stuck={k: one for k, one in unsure.items() if k not in put and k not in leftovers},
            kept={key: one for key, one in self.kept.items() if key not in leftovers},
        )


def read_live_files(ledger: Ledger) -> LiveFiles:
    """Return what is live on a target.

    Raises:
        UsageError: nothing was published there yet.
        StoreError: the ledger cannot be read.
    """
    state = ledger.live()
    if state.release is None:
        raise UsageError(
            f"nothing was published yet (state store {ledger.store.label})",
            hint="publish first: `exporter publish`",
        )
    noted = ledger.journal()
    shared = ledger.index(state.release.lessons)
    entries: dict[str, Entry] = dict(shared)
    plans = dict.fromkeys(shared, SHARED)
    for name, outcome in state.release.plans.items():
        index = ledger.index(outcome.index)
        entries.update(index)
        plans.update(dict.fromkeys(index, name))
    return LiveFiles(state, state.release, entries, plans, noted, ledger.kept(state.release))
