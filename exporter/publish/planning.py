"""Deciding what a publish will do, without doing any of it (spec 5, "What has to be built").

The base is always the live release's commit. What comes out, a `Prepared`, is the difference to
the live indexes, the new indexes, and what becomes of every plan. `exporter plan` shows it;
`publisher` carries it out. Three requests tell that there is nothing to do: the head, its release,
and the journal, which is clean unless a publish was left unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.content.repository import Commit
from exporter.core.release import Release
from exporter.core.steps import Delta
from exporter.publish.guarding import refuse_older
from exporter.publish.ledger import Ledger, LiveState, Noted
from exporter.publish.preparation import Preparation
from exporter.publish.prepared import Prepared, PublishOptions, Workspace
from exporter.publish.settling import State

__all__ = ["Prepared", "PublishOptions", "Workspace", "prepare"]


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
        Refused: the commit is older than the live one, or a guard stands against it.
    """
    live, noted = ledger.live(), ledger.journal()
    refuse_older(workspace.repository, live, commit, options)
    if live.release and _is_settled(workspace, live, commit, options):
        if noted.journal.is_clean:
            return _as_it_is(live.release, live, noted, commit, {})
        if noted.journal.run == live.release.id and not noted.journal.suspect:
            before_work()
            return _as_it_is(live.release, live, noted, commit, noted.journal.delete)
    before_work()
    state = State.of(ledger, live, noted)
    return Preparation(workspace, ledger, commit, state, options).publish()


def _is_settled(
    workspace: Workspace, live: LiveState, commit: Commit, options: PublishOptions
) -> bool:
    """Tell from the live release alone that there is nothing to build."""
    if live.head is None or live.release is None:
        return False
    same = (live.head.commit, live.head.fingerprint) == (commit.sha, workspace.fingerprint)
    return same and not any(
        outcome.is_waiting or (outcome.is_dead and options.retries(name))
        for name, outcome in live.release.plans.items()
    )


def _as_it_is(
    release: Release, live: LiveState, noted: Noted, commit: Commit, leftovers: Mapping[str, int]
) -> Prepared:
    """Return a publish that makes no release, and at most ends what the live one left to do."""
    delta = Delta(leftovers=leftovers)
    return Prepared(
        commit, live, noted, delta, release.plans, release.lessons, release.fingerprint
    )
