"""Where a published file comes from: the release that made it, found in the indexes (spec 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.core.addressing import has_digest, plain_key
from exporter.core.artifacts import Entry, Index
from exporter.core.release import Release
from exporter.core.segments import possible_segments
from exporter.core.wording import near
from exporter.errors import UsageError
from exporter.publish.ledger import Ledger

__all__ = ["Provenance", "trace"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """A live file: its index entry, the plan that it belongs to (None for a shared one), its maker.

    `commit` is the one of which the file's live form is: that of the release that made it.
    """

    key: str
    entry: Entry
    plan: str | None
    release: Release
    commit: str


def trace(ledger: Ledger, key: str) -> Provenance:
    """Find what made a live file; a key without a digest names the newest form of it.

    Raises:
        UsageError: it is not live.
    """
    live = ledger.live()
    if live.release is None:
        raise UsageError("nothing was published to this target yet", hint="run `exporter publish`")
    others: list[str] = []
    keys: list[str] = []
    for form in dict.fromkeys((key, plain_key(key))):
        for plan, digest in _indexes(live.release, form):
            index = ledger.index(digest)
            keys += index
            found = _found(index, form)
            if found and found[0] != key and has_digest(key):
                others.append(found[0])
            elif found:
                release = _maker(ledger, found[0], plan, found[1])
                commit = release.plans[plan].commit if plan else ""
                return Provenance(*found, plan, release, commit or release.commit)
    rule = "a key is as in the store, such as plans/PLAN/manifest.json or lessons/LESSON.json"
    hint = f"another form of it is: {others[0]}" if others else near(key, set(keys), rule)
    raise UsageError(f"{key} is not live on this target", hint=hint)


def _found(index: Index, key: str) -> tuple[str, Entry] | None:
    """Return the file of a key, or the newest that is called so but for its digest."""
    if key in index:
        return key, index[key]
    forms = [found for found in index.items() if plain_key(found[0]) == key]
    return max(forms, key=lambda found: found[1].version, default=None)


def _indexes(release: Release, key: str) -> Iterator[tuple[str | None, str]]:
    """Yield plans (None for what is shared) with the index that may have a key, likeliest first."""
    parts = key.split("/")
    if parts[0] != "plans":
        yield None, release.lessons
        return
    named = [name for name in release.plans if parts[1] in possible_segments(name)]
    for name in dict.fromkeys((*named, *release.plans)):
        yield name, release.plans[name].index


def _maker(ledger: Ledger, key: str, plan: str | None, entry: Entry) -> Release:
    """Return the oldest release of the unbroken line in which the file was as it is."""
    known: dict[str, bool] = {}
    maker: Release | None = None
    for release in ledger.history():
        digest = _index_of(release, plan)
        if digest not in known:
            found = ledger.index(digest).get(key)
            known[digest] = found is not None and _same(found, entry)
        if not known[digest]:
            break
        maker = release
    if maker is None:
        raise UsageError(f"{key} was just replaced by another publish", hint="run it again")
    return maker


def _index_of(release: Release, plan: str | None) -> str:
    if plan is None:
        return release.lessons
    outcome = release.plans.get(plan)
    return outcome.index if outcome else ""


def _same(one: Entry, other: Entry) -> bool:
    return (one.digest, one.version) == (other.digest, other.version)
