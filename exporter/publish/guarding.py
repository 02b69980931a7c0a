"""What a publish refuses to do (spec 5, "Order of a publish", steps 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.core.addressing import is_manifest
from exporter.core.release import PlanState
from exporter.core.wording import near
from exporter.errors import Refused, StoreError, UsageError

if TYPE_CHECKING:
    from exporter.content.repository import Commit, Repository
    from exporter.core.release import Outcome
    from exporter.publish.journal import Written
    from exporter.publish.ledger import Ledger, LiveState, Noted
    from exporter.publish.prepared import Prepared, PublishOptions, Workspace
    from exporter.stores.base import ObjectStore

__all__ = [
    "forgotten_manifest",
    "refuse_empty",
    "refuse_forgotten_files",
    "refuse_mass_delete",
    "refuse_older",
    "refuse_other_store",
    "refuse_sharing",
    "refuse_unknown_plans",
    "refuse_unsure_files",
    "refuse_without_content",
]

MANIFESTS_LOOKED_FOR = 3
"""Where nothing is live, so many plans are looked for on the CDN store, by name."""
MASS_DELETE_FLOOR = 100
"""The guard looks at a live state of more files than this."""
_OWN_STATE = (
    "give the new store a `state` of its own: the first publish there puts everything; "
    "then take the old one down"
)


def refuse_other_store(ledger: Ledger, live: LiveState, hint: str = _OWN_STATE) -> None:
    """Refuse a CDN store in which the live release's files are not.

    Only what differs from the ledger's indexes is ever put, so a fragment would be published.

    Raises:
        Refused: the live release names another store; records without a name are accepted.
    """
    there = live.release.store if live.release else ""
    if not live.release or not there or ledger.cdn_name in ("", there):
        return
    raise Refused(
        f"the state store {ledger.store.label} is of the files in {there} (release "
        f"{live.release.id}), but the target's `store` is {ledger.cdn_name} now: what is live "
        "would be missing there",
        hint=hint,
    )


def forgotten_manifest(cdn: ObjectStore, workspace: Workspace, commit: Commit) -> str:
    """Return a manifest of the commit's first plans that stands on the CDN store; empty for none.

    Where nothing is live and nothing unfinished, it says that the ledger was lost. A store that
    tells nothing (some keys may only write) is no reason to refuse: the first put says why.
    """
    from exporter.content.reading import plans_at  # slow to import, and rarely needed

    plans = plans_at(workspace.repository, commit, workspace.folder, workspace.extra_fields)
    paths = sorted(path for path, plan in plans if plan.flag("is_published"))
    keys = (f"{path.removesuffix('.yaml')}/manifest.json" for path in paths[:MANIFESTS_LOOKED_FOR])
    with suppress(StoreError):
        return next((key for key in keys if cdn.head(key)), "")
    return ""


def refuse_forgotten_files(
    cdn: ObjectStore,
    ledger: Ledger,
    workspace: Workspace,
    prepared: Prepared,
    options: PublishOptions,
) -> None:
    """Refuse a first publish over the files of an earlier release: its ledger was lost.

    What an unfinished first publish left there is in the journal, and is no such file. Any other
    journal is of a release that was live, of which only the head is lost.

    Raises:
        Refused: a manifest stands on the CDN store although the ledger knows of no release.
    """
    is_first = prepared.noted.journal.is_of_a_first_publish
    if prepared.live.head or options.allow_older or is_first:
        return
    key = forgotten_manifest(cdn, workspace, prepared.commit)
    if not key:
        return
    ledger.confirm(prepared.live, prepared.noted)  # it may be of a publish that has just ended
    raise Refused(
        f"the CDN store {cdn.label} has files of an earlier release, such as {key}, and the state "
        f"store {ledger.store.label} knows of none",
        hint="run `exporter adopt` before anything is published; --allow-older publishes over "
        "them, and forgets which of them may be deleted. If another target publishes there, give "
        "this one a `store` of its own",
    )


def refuse_older(
    repository: Repository, live: LiveState, commit: Commit, options: PublishOptions
) -> None:
    """Refuse a commit that is not the live one or its descendant.

    What cannot be proved, as the live commit cannot be had, is refused too.

    Raises:
        Refused: an older run must not take the site back.
    """
    if live.head is None or options.allow_older or live.head.commit == commit.sha:
        return
    from exporter.content.deepening import find_or_fetch, is_ancestor_at_all

    known = find_or_fetch(repository, live.head.commit)
    if known and is_ancestor_at_all(repository, live.head.commit, commit.sha):
        return
    why = (
        "is not among its ancestors"
        if known
        else "is not in this clone and could not be fetched, so that cannot be told"
    )
    raise Refused(
        f"commit {commit.sha[:12]} may be older than what is live: the live commit "
        f"{live.head.commit[:12]} (release {live.head.release}) {why}",
        hint="publish a newer commit (`git pull`, `git fetch --unshallow`); to take a release "
        "back use `git revert` or `exporter rollback`; --allow-older forces this one, and "
        "`exporter plan --allow-older` shows what it would do",
    )


def refuse_without_content(
    repository: Repository, commit: Commit, folder: str, options: PublishOptions
) -> None:
    """Refuse a commit without a snapshot folder: a wrong path is likelier than an empty school.

    Raises:
        Refused: there is no such folder in the commit.
    """
    if options.allow_mass_delete or repository.has_folder(commit.sha, folder):
        return
    raise Refused(
        f"commit {commit.sha[:12]} has no folder {folder}/",
        hint=f"if a revert took it away (`git log -1 -- {folder}`), revert that commit; else take "
        "a snapshot with `exporter snapshot`, or correct `snapshot.path` in exporter.yaml; if an "
        "empty site is meant, publish with --allow-mass-delete",
    )


def refuse_mass_delete(deleted: int, live_files: int, options: PublishOptions) -> None:
    """Refuse to delete much of what is live.

    Raises:
        Refused: it is more than the configured share.
    """
    if options.allow_mass_delete or live_files <= MASS_DELETE_FLOOR:
        return
    if deleted > options.max_delete_ratio * live_files:
        raise Refused(
            f"{deleted} of {live_files} live files would be deleted; "
            f"the limit is {options.max_delete_ratio:.0%}",
            hint="`exporter plan --allow-mass-delete` lists them; if it is meant, publish with "
            "--allow-mass-delete",
        )


def refuse_empty(commit: Commit, outcomes: Iterable[Outcome], options: PublishOptions) -> None:
    """Refuse to publish a site without a plan.

    Raises:
        Refused: no plan of the commit is published.
    """
    if options.allow_mass_delete or any(one.state is not PlanState.REMOVED for one in outcomes):
        return
    raise Refused(
        f"commit {commit.sha[:12]} has no published plan: the site would be empty",
        hint="publish a plan in Frappe (`is_published`) and take a snapshot; "
        "if an empty site is meant, publish with --allow-mass-delete",
    )


def refuse_unknown_plans(asked: frozenset[str], known: set[str]) -> None:
    """Refuse plans that are neither in the commit nor live.

    Raises:
        UsageError: there is no such plan.
    """
    unknown = sorted(asked - known)
    if unknown:
        shown = f"known plans: {', '.join(sorted(known)[:10])}" if known else ""
        raise UsageError(
            f"there is no plan {', '.join(map(repr, unknown))}, neither in the commit nor live",
            hint=near(unknown[0], known, shown),
        )


def refuse_sharing(workspace: Workspace) -> None:
    """Refuse to share a publish out where two machines may put other bytes under one key.

    Raises:
        UsageError: keys do not carry their digests, or media URLs are signed on upload.
    """
    if not workspace.check_rules.rules.hashed:
        raise UsageError(
            "a publish can be shared out only where no file but a plan's manifest ever changes",
            hint="set `addressing: hashed` under `publish` in exporter.yaml; or publish on one "
            "machine",
        )
    if workspace.signed:
        raise UsageError(
            "a publish with `media.signed` cannot be shared out: each machine would sign the media "
            "URLs of a lesson differently",
            hint="publish on one machine: `exporter publish`",
        )


def refuse_unsure_files(noted: Noted, dirty: Mapping[str, Written]) -> None:
    """Refuse to share a publish out while files may be others than the ledger says.

    Manifests may: whoever finishes puts all of them that matter.

    Raises:
        Refused: a publish was left unfinished.
    """
    if not all(map(is_manifest, dirty)):
        raise Refused(
            f"run {noted.journal.run} was left unfinished, and only a publish on one machine can "
            "put right what it left",
            hint="run `exporter publish`, which does that and publishes everything",
        )
