"""Where a target stands: what `status` and `releases` report, and the dashboard shows (spec 5)."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from exporter.cli.session import OpenTarget, Session
from exporter.cli.show import subject_of
from exporter.cli.snapshot import held_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.config import Target
    from exporter.content.candidates import Held
    from exporter.core.release import Release
    from exporter.preview.server import Answer
    from exporter.publish.inspecting import TargetState

__all__ = [
    "is_forgotten",
    "left_store",
    "releases_report",
    "sharing_targets",
    "status_answers",
    "status_report",
]

PAGE_RELEASES = 30
"""How many releases the dashboard shows."""
_NEXT_EXPIRIES = 5
_HOUR_S = 3600
_BANDS = {"expired": 0, "one_hour": 1, "six_hours": 6, "one_day": 24}
"""Signed URLs by how many hours they still work at most; all others work for longer."""


def releases_report(
    session: Session, opened: OpenTarget, count: int = PAGE_RELEASES
) -> dict[str, Any]:
    """Return the newest releases of a target, newest first, as documented JSON."""
    found = list(islice(opened.ledger.history(), count))
    commits = dict.fromkeys(release.commit for release in found)
    return {
        "target": opened.target.name,
        "releases": [release.to_json() for release in found],
        "commit_subjects": {sha: subject_of(session.repository, sha) for sha in commits},
    }


def status_report(session: Session, opened: OpenTarget) -> dict[str, Any]:
    """Return where a target stands, as documented JSON."""
    from exporter.content.webpages import commit_pages
    from exporter.publish.inspecting import read_target

    state = read_target(opened.ledger)
    head = session.repository.head()
    live = state.live
    commits = _unpublished(session, live)
    plans = _unpublished_plans(session, live) if commits else []
    return {
        "target": opened.target.name,
        "store": opened.cdn.label,
        "made_at": _instant(int(session.now().timestamp())),
        "commit_pages": commit_pages(session.repository),
        "live": live.to_json() if live else None,
        "head_commit": head.sha if head else None,
        "uncommitted_files": session.repository.dirty_paths(session.content_path),
        "unpublished_commits": commits,
        "off_history": _is_off_history(session, live),
        "unpublished_plans": plans,
        "plan_titles": _titles(session, {*plans, *state.behind}),
        "freshness": _freshness(session, live, commits),
        "plans_waiting": {
            name: {
                "state": one.state.value,
                "attempts": one.attempts,
                "error": one.error,
                "dead_letter": one.is_dead,
            }
            for name, one in state.behind.items()
        },
        "holds": [held_json(held) for held in _holds(session)],
        "purges_pending": sum(state.owed.values()),
        "purges_owed": {run: count for run, count in state.owed.items() if count},
        "unfinished": not state.journal.is_clean,
        "lease": _lease_json(state),
        "signed_urls": _signed_json(session, state),
    }


def is_forgotten(session: Session, opened: OpenTarget, report: dict[str, Any]) -> bool:
    """Tell whether the CDN store has files of a release that the state store does not know."""
    from exporter.publish.guarding import forgotten_manifest

    head = session.repository.head()
    if report["live"] or report["lease"] or head is None:
        return False
    if opened.ledger.journal().journal.is_of_a_first_publish:
        return False
    return bool(forgotten_manifest(opened.cdn, session.workspace, head))


def left_store(opened: OpenTarget, report: dict[str, Any]) -> str:
    """Return the store that the live files are in, where it is not the target's any more."""
    there: str = report["live"]["store"] if report["live"] else ""
    return there if opened.ledger.cdn_name not in ("", there) else ""


def sharing_targets(session: Session, opened: OpenTarget) -> list[str]:
    """Return the targets with the same `store` and another `state`.

    Neither ledger knows the other's files there. A target that cannot be used now (a variable is
    not set) is nobody's.
    """
    from exporter.errors import ConfigError

    store, state = _places(session, opened.target)
    found = []
    for name in session.config.target_names:
        with suppress(ConfigError):
            theirs, their_state = _places(session, session.config.target(name))
            if theirs == store and their_state != state:
                found.append(name)
    return found


def _places(session: Session, target: Target) -> tuple[str, str]:
    from exporter.stores.opening import store_name

    root, endpoint = session.config.root, target.s3.endpoint_url
    store, state = (
        store_name(place, base=root, endpoint_url=endpoint)
        for place in (target.store, target.state)
    )
    return store, state


def status_answers(
    session: Session, target: str | None
) -> Callable[[tuple[str, ...]], Answer | None]:
    """Return who answers for `status`, which shows that target, and for `status/TARGET`.

    Each answer looks everything up anew.
    """
    from exporter.errors import ExporterError
    from exporter.preview.dashboard import dashboard, trouble
    from exporter.preview.server import Answer

    def answer(parts: tuple[str, ...]) -> Answer | None:
        names = session.config.target_names
        name = "/".join(parts) or target or next(iter(names), "")
        paths = {other: f"/status/{quote(other, safe='')}" for other in names if other != name}
        links = {"Preview": "/", **paths}
        try:
            opened = session.open_target(name or None)
            status, releases = status_report(session, opened), releases_report(session, opened)
        except ExporterError as error:
            page = trouble(name or "No target", error, links)
            return Answer(page.html, "html", None, HTTPStatus.BAD_GATEWAY, page.policy)
        page = dashboard(status, releases, links)
        return Answer(page.html, "html", policy=page.policy)

    return answer


def _unpublished(session: Session, live: Release | None) -> list[dict[str, str]] | None:
    """Return the commits that are not live yet, newest first; None where that cannot be told."""
    head = session.repository.head()
    if head is None:
        return []
    base = live.commit if live else None
    if base and session.repository.find(base) is None:
        return None
    return session.repository.log(base, head.sha, session.content_path)


def _is_off_history(session: Session, live: Release | None) -> bool:
    """Tell whether the live commit is here, but HEAD does not descend from it."""
    repository = session.repository
    head = repository.head()
    if head is None or live is None or repository.find(live.commit) is None:
        return False
    return not repository.is_ancestor(live.commit, head.sha)


def _unpublished_plans(session: Session, live: Release | None) -> list[str]:
    """Return the plans that the unpublished commits concern."""
    from exporter.content.reading import plans_at
    from exporter.core.changes import affected_plans

    repository, folder = session.repository, session.content_path
    extra = session.config.source.extra_fields
    head = repository.resolve("HEAD")
    after = plans_at(repository, head, folder, extra)
    base = repository.find(live.commit) if live else None
    if base is None:
        return sorted(plan.name for _, plan in after)
    changed = repository.changed_paths(base.sha, head.sha, folder)
    return sorted(affected_plans(changed, [*plans_at(repository, base, folder, extra), *after]))


def _titles(session: Session, names: Iterable[str]) -> dict[str, str]:
    """Return the titles that HEAD gives some plans."""
    from exporter.content.reading import plans_at

    repository, wanted = session.repository, set(names)
    head = repository.head()
    if not wanted or head is None:
        return {}
    extra = session.config.source.extra_fields
    plans = (plan for _, plan in plans_at(repository, head, session.content_path, extra))
    return {plan.name: plan.title for plan in plans if plan.name in wanted}


def _freshness(
    session: Session, live: Release | None, commits: list[dict[str, str]] | None
) -> dict[str, Any]:
    """Say from when the live content and the last snapshot are, and how long a commit waits."""
    from exporter.content.snapshot import last_snapshot_at

    repository = session.repository
    base = repository.find(live.commit) if live else None
    oldest = repository.find(commits[-1]["commit"]) if commits else None
    now = int(session.now().timestamp())
    waits_s = now - oldest.time if oldest else 0
    snapshot = last_snapshot_at(repository, session.content_path)
    return {
        "live_commit_at": _instant(base.time) if base else None,
        "published_at": live.finished_at if live else None,
        "oldest_unpublished_at": _instant(oldest.time) if oldest else None,
        "behind_s": max(0, waits_s),
        "last_snapshot_at": _instant(snapshot) if snapshot else None,
        "last_snapshot_age_s": max(0, now - snapshot) if snapshot else None,
    }


def _holds(session: Session) -> tuple[Held, ...]:
    from exporter.content.holding import all_holds

    head = session.repository.head()
    if head is None:
        return ()
    extra = session.config.source.extra_fields
    return all_holds(session.repository, head, session.content_path, extra)


def _lease_json(state: TargetState) -> dict[str, str] | None:
    lease = state.lease
    if lease is None:
        return None
    return {
        "holder": lease.holder,
        "run": lease.run,
        "since": lease.since,
        "until": lease.until,
    }


def _signed_json(session: Session, state: TargetState) -> dict[str, Any]:
    """Return how long the signed URLs still work; every lesson is in one band only."""
    from exporter.publish.signatures import SignedLessons

    now = session.now().timestamp()
    left_s = [lesson.expires - now for lesson in state.signed.values()]
    bands: dict[str, int] = {}
    for name, hours in _BANDS.items():
        bands[name] = sum(left <= hours * _HOUR_S for left in left_s) - sum(bands.values())
    return {
        "lessons": len(left_s),
        "due": len(SignedLessons(state.signed).due(session.config.media, now)),
        "expiring": {**bands, "later": len(left_s) - sum(bands.values())},
        "next": [
            {"key": key, "expires": _instant(expires)}
            for key, expires in state.next_expiries(_NEXT_EXPIRIES)
        ],
    }


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
