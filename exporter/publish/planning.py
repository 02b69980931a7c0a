"""Deciding what a publish will do, without doing any of it (spec 5, "What has to be built").

The base is always the live release's commit. What comes out, a `Prepared`, is the difference to
the live indexes, the new indexes, and what becomes of every plan. `exporter plan` shows it;
`publisher` carries it out. Three requests tell that there is nothing to do: the head, its release,
and the journal, which is clean unless a publish was left unfinished.

What builds (`preparation`) is imported once there is something to build: it takes longer than
finding out that there is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from exporter.core.steps import Delta
from exporter.publish.guarding import refuse_older, refuse_other_store, refuse_without_content
from exporter.publish.prepared import Prepared, PublishOptions, Rework, Workspace

if TYPE_CHECKING:
    from exporter.content.repository import Commit
    from exporter.core.release import Release
    from exporter.publish.ledger import Ledger, LiveState, Noted
    from exporter.publish.preparation import Preparation

__all__ = ["Prepared", "PublishOptions", "Workspace", "begin", "prepare", "undoing"]


def prepare(
    workspace: Workspace,
    ledger: Ledger,
    commit: Commit,
    options: PublishOptions,
    before_work: Callable[[], None] = lambda: None,
) -> Prepared:
    """Work out what publishing a commit means.

    `before_work` is called once it is clear that there is something to build, and may raise.

    Raises:
        Refused: the commit is older than the live one, the live files are in another store, or
            a guard stands against it.
    """
    begun = begin(workspace, ledger, commit, options, before_work)
    return begun if isinstance(begun, Prepared) else begun.publish()


def begin(
    workspace: Workspace,
    ledger: Ledger,
    commit: Commit,
    options: PublishOptions,
    before_work: Callable[[], None] = lambda: None,
) -> Prepared | Preparation:
    """Return what publishing a commit means where that is clear, else what works it out.

    Raises:
        Refused: as `prepare` says.
    """
    refuse_without_content(workspace.repository, commit, workspace.folder, options)
    live, noted = ledger.live(), ledger.journal()
    refuse_other_store(ledger, live)
    refuse_older(workspace.repository, live, commit, options)
    if live.release and _is_settled(workspace, live, commit, options):
        if noted.journal.is_clean:
            return _as_it_is(live.release, live, noted, commit, {})
        if noted.journal.run == live.release.id and not noted.journal.suspect:
            before_work()
            return _as_it_is(live.release, live, noted, commit, noted.journal.delete)
    before_work()
    return _preparation(workspace, ledger, commit, (live, noted), options)


def undoing(workspace: Workspace, ledger: Ledger, live: LiveState, noted: Noted) -> Rework:
    """Return what a run that only deletes undoes, should another one have been first."""
    from exporter.content.repository import Commit

    commit = Commit(live.head.commit if live.head else "", 0)
    return _preparation(workspace, ledger, commit, (live, noted), PublishOptions())


def _preparation(
    workspace: Workspace,
    ledger: Ledger,
    commit: Commit,
    found: tuple[LiveState, Noted],
    options: PublishOptions,
) -> Preparation:
    from exporter.publish.preparation import Preparation
    from exporter.publish.settling import State

    return Preparation(workspace, ledger, commit, State.of(ledger, *found), options)


def _is_settled(
    workspace: Workspace, live: LiveState, commit: Commit, options: PublishOptions
) -> bool:
    """Tell from the live release alone that there is nothing to build."""
    if live.head is None or live.release is None:
        return False
    same = (live.head.commit, live.head.fingerprint) == (commit.sha, workspace.fingerprint)
    known = options.plans <= live.release.plans.keys()
    return (same and known) and not any(
        outcome.is_waiting or (outcome.is_dead and options.retries(name))
        for name, outcome in live.release.plans.items()
    )


def _as_it_is(
    release: Release, live: LiveState, noted: Noted, commit: Commit, leftovers: Mapping[str, int]
) -> Prepared:
    """Return a publish that makes no release, and at most ends what the live one left to do."""
    delta = Delta(leftovers=leftovers)
    return Prepared(commit, live, noted, delta, release.plans, release.lessons, release.fingerprint)
