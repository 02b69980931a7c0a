"""A lost state store made again from what is live on the CDN store (spec 5, `exporter adopt`).

`recognising` says what is live; here the ledger is written: indexes, a release of kind `adopt`, the
journal, and last the head, never over another one. The CDN store is only read.

Nothing is believed that was not seen: an object that is not what the new ledger says of it stands
in the journal, so the next publish (or `verify --repair`) puts it right under its usual guards.
"""

from __future__ import annotations

from dataclasses import replace

from exporter.config import Media
from exporter.content.deepening import find_or_fetch, is_shallow
from exporter.content.repository import Commit, Repository
from exporter.core.artifacts import Index
from exporter.core.release import Head, Kept, Kind, Release
from exporter.errors import Refused, UsageError
from exporter.publish.crawling import Standing
from exporter.publish.lease import LeaseHolder
from exporter.publish.ledger import Ledger, pack_kept
from exporter.publish.prepared import Workspace
from exporter.publish.probe import probe_conditional_writes
from exporter.publish.recognising import Recognised
from exporter.publish.run import Run, instant
from exporter.publish.signatures import rules_digest, update_signed

__all__ = ["adopt", "find_commit", "refuse_living"]


def refuse_living(ledger: Ledger) -> None:
    """Refuse a target of which the ledger is there.

    Raises:
        Refused: it has a head.
        StoreError: its head cannot be read.
    """
    head = ledger.head()
    if head:
        raise Refused(
            f"the state store {ledger.store.label} knows what is live (release "
            f"{head[0].release}): there is nothing to adopt",
            hint="`exporter verify` compares the CDN store with it, and --repair mends it; if its "
            "records are damaged, delete head.json there, then adopt",
        )


def find_commit(workspace: Workspace, standing: Standing) -> Commit:
    """Return the newest commit in the history of HEAD for which something live was put.

    Every change shows in a manifest, but where links name no versions. Where the metadata are lost,
    it is the newest commit that is not younger than what is live.

    Raises:
        UsageError: no plan was published to this store.
        Refused: the history of HEAD has no such commit.
    """
    rules, repository = workspace.check_rules.rules, workspace.repository
    shows = rules.hashed or rules.version_links
    live = [standing.objects[key] for key in standing.manifests.values()]
    if not live:
        raise UsageError(
            "there is no plan's manifest on the CDN store: nothing can be adopted",
            hint="check the target's `store`; if it is right, `exporter publish` puts everything",
        )
    named = {one.commit for one in (live if shows else standing.objects.values())} - {""}
    if named:
        listed = _history(repository, named)
    else:
        newest = max(one.version for one in standing.objects.values())
        listed = _listed(repository, "--max-count=1", f"--before={newest}", "HEAD")
    found = next((sha for sha in listed if not named or sha in named), "")
    if not found:
        raise Refused(
            f"what is on the CDN was published from {_some(named)}, and the history of HEAD has "
            "no such commit",
            hint="run `git pull`, then again; where history was rewritten, name the commit that "
            "is to count as published: --commit HEAD",
        )
    return repository.resolve(found)


def adopt(ledger: Ledger, found: Recognised, media: Media, fingerprint: str, run: Run) -> Release:
    """Write the ledger; the head is the last thing, and never put over another one.

    Raises:
        Refused: the target has a head, or somebody publishes to it.
    """
    started = instant(run.now())
    probe_conditional_writes(ledger.store, run.release_id)
    with LeaseHolder(ledger.store, run) as lease:
        refuse_living(ledger)
        for packed in found.indexes:
            ledger.save_index(packed)
        release = replace(
            _release(found, fingerprint, run),
            kept=_save_kept(ledger, found.kept, run),
            store=ledger.cdn_name,
            started_at=started,
            finished_at=instant(run.now()),
        )
        ledger.save_release(release)
        if media.signed:
            rules = rules_digest(media) if found.all_signed else None
            update_signed(ledger.store, found.notes, rules)
        if found.suspect:
            noted = ledger.journal()
            journal = noted.journal.with_suspects(found.suspect, found.suspect_plans)
            ledger.save_journal(journal, noted.etag)
        lease.keep(surely=True)
        ledger.swap_head(Head(release.id, release.commit, release.fingerprint), None)
    return release


def _release(found: Recognised, fingerprint: str, run: Run) -> Release:
    return Release(
        run.release_id,
        Kind.ADOPT,
        found.commit.sha,
        fingerprint,
        run.exporter,
        trigger=run.trigger,
        plans=found.plans,
        lessons=found.shared.digest,
    )


def _save_kept(ledger: Ledger, kept: Index, run: Run) -> str:
    """Save the index of what stands on; when it was live last is not known, so `now` counts."""
    if not kept:
        return ""
    now = int(run.now().timestamp())
    packed = pack_kept({key: Kept(entry, now) for key, entry in kept.items()})
    ledger.save_index(packed)
    return packed.digest


def _history(repository: Repository, named: set[str]) -> list[str]:
    """Return the history of HEAD, newest first; a shallow clone is deepened to the commits."""
    listed = _listed(repository, "--topo-order", "HEAD")
    if named & set(listed) or not is_shallow(repository):
        return listed
    for sha in sorted(named):
        find_or_fetch(repository, sha)
    return _listed(repository, "--topo-order", "HEAD")


def _listed(repository: Repository, *arguments: str) -> list[str]:
    return repository.git("rev-list", *arguments).decode().split()


def _some(named: set[str]) -> str:
    if not named:
        return "a commit that is older than all of them"
    first = f"commit {min(named)[:12]}"
    return first if len(named) == 1 else f"{len(named)} commits such as {first}"
