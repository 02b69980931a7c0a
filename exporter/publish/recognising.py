"""What is live on a CDN store, told from its objects and a commit: no ledger is asked (`adopt`).

What stands is compared, object by object, with what the commit makes: the versions are those that
links name, else those that stand, so a target that nobody touched comes out to the byte. A plan of
which all that is not damaged is as the commit makes it is live at that commit. One that is as the
commit makes it for which its manifest was put was held back since, and waits; any other plan is
recorded as it stands, and waits. Damaged is what is missing, is no file of ours, or has not the
bytes that its metadata name. Where that is a plan's manifest, its other files tell; if they do not,
nothing in the plan's folder is taken for extra.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from exporter.build.bench import Stamps
from exporter.build.builder import Built, build
from exporter.build.inspection import Inspection, inspect
from exporter.config import Media
from exporter.content.deepening import find_or_fetch
from exporter.content.reading import Content, read_commit
from exporter.content.repository import Commit
from exporter.core.addressing import Forms, has_digest, is_manifest, plain_key
from exporter.core.artifacts import Artifact, Entry, Index
from exporter.core.release import Outcome, PlanState
from exporter.core.segments import segment
from exporter.core.steps import shared_reach
from exporter.publish.comparing import Damage, Drift
from exporter.publish.crawling import Crawl, Standing
from exporter.publish.journal import Written
from exporter.publish.ledger import PackedIndex, pack_index
from exporter.publish.prepared import Workspace
from exporter.publish.restoring import LENIENT
from exporter.publish.run import moment
from exporter.publish.signatures import SignedLesson
from exporter.publish.signing import media_form

__all__ = ["Recognised", "recognise"]


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a ledger is to say of a CDN store, and what is not as it says."""

    commit: Commit
    plans: Mapping[str, Outcome]
    shared: PackedIndex
    indexes: tuple[PackedIndex, ...]
    kept: Index
    """What stands on though nothing live leads to it: earlier forms (`hashed`)."""
    files: int
    """How many files are live."""
    same: int
    """How many of them are as the commit makes them."""
    drift: tuple[Drift, ...]
    suspect: Mapping[str, Written]
    suspect_plans: frozenset[str]
    notes: Mapping[str, SignedLesson]
    all_signed: bool
    """Whether every lesson that the rules for media concern is signed."""

    @property
    def is_whole(self) -> bool:
        """Tell whether everything is as the commit makes it."""
        return not self.drift and not any(one.is_behind for one in self.plans.values())


def recognise(workspace: Workspace, standing: Standing, commit: Commit, media: Media) -> Recognised:
    """Work out what is live on a CDN store, as seen from a commit."""
    return _Comparison(workspace, standing, commit, media).result()


@dataclass(slots=True)
class _Ledger:
    """The ledger as it takes shape."""

    plans: dict[str, Outcome] = field(default_factory=dict)
    indexes: dict[str, Index] = field(default_factory=dict)
    shared: dict[str, Entry] = field(default_factory=dict)
    built_against: dict[str, PackedIndex] = field(default_factory=dict)
    """Of plans at an earlier commit: the shared files as that commit makes them."""

    def live(self) -> dict[str, Entry]:
        """Return all live files."""
        own = {key: entry for index in self.indexes.values() for key, entry in index.items()}
        return {**self.shared, **own}


class _Comparison:
    """One comparison of a CDN store with a commit, and with the commits of plans held back."""

    def __init__(
        self, workspace: Workspace, standing: Standing, commit: Commit, media: Media
    ) -> None:
        self.workspace = workspace
        self.objects = standing.objects
        self.manifests = standing.manifests
        self.crawls = {plan: standing.crawl(key) for plan, key in self.manifests.items()}
        self.commit = commit
        self.media = media
        self.prefixes = [rule.prefix.encode() for rule in media.signed]
        self.unsigned: dict[str, Entry] = {}
        """Lessons with signed URLs of which the plain form was recognised."""
        self.notes: dict[str, SignedLesson] = {}
        self.not_signed: set[str] = set()
        self.left_alone: set[str] = set()
        """Folders of plans that git knows and that have no manifest: nothing of theirs is extra."""
        self.made = _Ledger()
        self.read = lru_cache(maxsize=1)(self._read)

    def result(self) -> Recognised:
        current = self._match_commit()
        waiting = self.manifests.keys() - self.made.plans.keys()
        of = {plan: self.objects[self.manifests[plan]].commit for plan in waiting}
        odd = [p for p in sorted(of, key=lambda p: (of[p], p)) if not self._match_own(p, of[p])]
        drift = [one for plan in odd for one in self._as_it_stands(plan, current)]
        shared = pack_index(self.made.shared, None)
        packed = {name: pack_index(index, name) for name, index in self.made.indexes.items()}
        plans = {
            name: self._complete(name, outcome, packed.get(name), shared)
            for name, outcome in sorted(self.made.plans.items())
        }
        live = self.made.live()
        made = current.entries()
        kept = {key: entry for key in self.objects if (entry := self._kept(key, live))}
        damage = [*self._damage(live), *self._extra(live.keys() | kept.keys())]
        suspect = {one.key: self._written(one.key, live.get(one.key)) for one in damage}
        return Recognised(
            self.commit,
            plans,
            shared,
            tuple({*packed.values(), *self.made.built_against.values(), shared}),
            kept,
            len(live),
            sum(made.get(key) == live[key] and self._stands(key, live[key]) for key in live),
            tuple(sorted({one.key: one for one in (*drift, *damage)}.values(), key=_by_key)),
            suspect,
            self._concerned(suspect),
            self.notes,
            not self.not_signed - self.notes.keys(),
        )

    def _match_commit(self) -> Built:
        """Take the plans that are live as the commit makes them; return what it makes."""
        inspection = inspect(self.read(self.commit), self.workspace.check_rules)
        built = self._build(inspection, self.commit, self.crawls.values())
        for plan, index in built.plans.items():
            if self._is_at(plan, index, built.lessons):
                self._take(plan, index, built.lessons, Outcome(PlanState.PUBLISHED))
        known = inspection.views.keys() | inspection.held
        for plan in known - self.manifests.keys() - self.made.plans.keys():
            self.left_alone.add(f"plans/{segment(plan)}/")
        for plan in inspection.views.keys() - self.manifests.keys() - self.made.plans.keys():
            self.made.plans[plan] = Outcome(PlanState.HELD, error="adopted: it is not on the CDN")
        return built

    def _match_own(self, plan: str, sha: str) -> bool:
        """Take a plan that is live as its own commit makes it; tell whether that is so."""
        commit = find_or_fetch(self.workspace.repository, sha) if sha else None
        if commit is None:
            return False
        rules = replace(self.workspace.check_rules, severities=LENIENT)
        inspection = inspect(self.read(commit), rules, {plan})
        built = self._build(inspection, commit, [self.crawls[plan]], lenient=True)
        index = built.plans.get(plan, {})
        if not self._is_at(plan, index, built.lessons):
            return False
        error = f"adopted as of commit {commit.sha[:12]}"
        self._take(plan, index, built.lessons, Outcome(PlanState.HELD, error=error), commit)
        return True

    def _take(
        self,
        plan: str,
        index: Index,
        shared: Index,
        outcome: Outcome,
        commit: Commit | None = None,
    ) -> None:
        reached = {key: shared[key] for key in shared_reach([index], shared)}
        self.made.indexes[plan] = index
        self.made.shared = {**reached, **self.made.shared}
        self.made.plans[plan] = replace(outcome, commit=(commit or self.commit).sha)
        if commit:
            self.made.built_against[plan] = pack_index(reached, None)

    def _as_it_stands(self, plan: str, current: Built) -> Iterator[Drift]:
        """Take a plan that no commit explains; yield how it differs from the commit."""
        folder, crawl = self.manifests[plan].rpartition("/")[0] + "/", self.crawls[plan]
        found = {key: entry for key in crawl.present if (entry := self._entry(key))}
        own = {key: entry for key, entry in found.items() if key.startswith(folder)}
        shared = {key: entry for key, entry in found.items() if not key.startswith("plans/")}
        error = f"adopted as it stands: not what commit {self.commit.sha[:12]} makes"
        self._take(plan, own, shared, Outcome(PlanState.HELD, error=error))
        self.made.plans[plan] = replace(self.made.plans[plan], commit="")
        wanted = current.plans.get(plan, {})
        if not wanted:
            why = f"commit {self.commit.sha[:12]} does not publish plan {plan}"
            yield Drift(self.manifests[plan], Damage.DIFFERENT, why)
        for key in shared_reach([wanted], current.lessons) | wanted.keys():
            entry = wanted.get(key) or current.lessons[key]
            if not self._stands(key, entry):
                yield self._differing(key)
        yield from (self._differing(key) for key in crawl.missing)

    def _complete(
        self, plan: str, outcome: Outcome, packed: PackedIndex | None, shared: PackedIndex
    ) -> Outcome:
        if packed is None:
            return outcome
        against = self.made.built_against.get(plan, shared)
        files = len(self.made.indexes[plan])
        return replace(outcome, index=packed.digest, lessons=against.digest, files=files)

    def _read(self, commit: Commit) -> Content:
        place = self.workspace
        return read_commit(place.repository, commit, place.folder, place.extra_fields)

    def _build(
        self,
        inspection: Inspection,
        commit: Commit,
        crawls: Iterable[Crawl],
        *,
        lenient: bool = False,
    ) -> Built:
        rules = self.workspace.check_rules
        rules = replace(rules, severities=LENIENT) if lenient else rules
        return build(inspection, rules, self._stamps(commit, list(crawls)), self._recognise)

    def _stamps(self, commit: Commit, crawls: list[Crawl]) -> Stamps:
        """Return versions as links name them, else as they stand."""
        hashed = self.workspace.check_rules.rules.hashed
        reached = {key for crawl in crawls for key in crawl.present}
        standing = {key: found.entry for key, found in self.objects.items() if found.entry}
        live = {key: one for key, one in standing.items() if not hashed or key in reached}
        forms = Forms(live, {key: standing[key] for key in standing.keys() - reached})
        named: dict[str, int] = {}
        for crawl in crawls:
            for key, version in crawl.versions.items():
                named[key] = max(version, named.get(key, 0))
        signed = {
            plain_key(key) if hashed else key: self.objects[key].version
            for key in sorted(reached, key=lambda key: self.objects[key].version)
            if self.objects[key].signed
        }

        def known(key: str, digest: str) -> int | None:
            if key in named:
                return named[key]
            form = forms.version(key, digest) if hashed else None
            return signed.get(key) if form is None else form

        return Stamps(forms.newest, commit.time, known=known)

    def _recognise(self, artifact: Artifact) -> None:
        """See whether a lesson that stands with signed URLs is this one."""
        key, found = artifact.key, self.objects.get(artifact.key)
        rules = [r for r in self.media.signed if r.prefix.encode() in artifact.data]
        if not rules or not key.startswith("lessons/"):
            return
        self.not_signed.add(key)
        signed = found.signed if found else None
        if found is None or signed is None or artifact.entry.version != found.version:
            return
        if media_form(json.loads(artifact.data), self.media) == signed.form:
            first = max(rules, key=self.media.refresh_before)
            self.unsigned[key] = artifact.entry
            self.notes[key] = SignedLesson(
                _expiry(signed.expires_at),
                first.prefix,
                artifact.entry.digest,
                artifact.entry.version,
                signed.sha256,
                signed.cache_control,
            )

    def _is_at(self, plan: str, index: Index, shared: Index) -> bool:
        """Tell whether a plan is live as it was built, but for what is damaged."""
        key = self.manifests.get(plan)
        told = index if key is None else [key]
        if not any(one in index and self._stands(one, index[one]) for one in told):
            return False
        wanted = {**index, **{key: shared[key] for key in shared_reach([index], shared)}}
        return not any(self._is_other(key, entry) for key, entry in wanted.items())

    def _is_other(self, key: str, entry: Entry) -> bool:
        """Tell whether a file of another state stands there: one that was put so, and not damaged.

        What has another version than links name was put by a publish that died.
        """
        found = self.objects.get(key)
        if found is None or not found.is_genuine or self._stands(key, entry):
            return False
        named = self.workspace.check_rules.rules.version_links
        return found.version == entry.version or not named

    def _entry(self, key: str) -> Entry | None:
        """Return what an index would say of an object as it stands."""
        found = self.objects.get(key)
        return self.unsigned.get(key) or (found.entry if found else None)

    def _stands(self, key: str, entry: Entry) -> bool:
        found = self._entry(key)
        return found is not None and (found.digest, found.version) == (entry.digest, entry.version)

    def _kept(self, key: str, live: Index) -> Entry | None:
        """Return the entry of an earlier form, which `gc` deletes in its time."""
        found = self.objects[key]
        hashed = self.workspace.check_rules.rules.hashed
        earlier = found.carries_digest or (hashed and not has_digest(key) and not is_manifest(key))
        return found.entry if earlier and key not in live else None

    def _damage(self, live: Index) -> Iterator[Drift]:
        for key, entry in live.items():
            found = self.objects.get(key)
            if found is None or not self._stands(key, entry):
                yield self._differing(key)
            elif found.drift:
                yield found.drift

    def _differing(self, key: str) -> Drift:
        found = self.objects.get(key)
        if found is None:
            return Drift(key, Damage.MISSING, "there is no such object")
        if found.drift and found.drift.damage is Damage.DIFFERENT:
            return found.drift
        why = f"it is not what commit {self.commit.sha[:12]} makes"
        return Drift(key, Damage.DIFFERENT, why)

    def _extra(self, known: Iterable[str]) -> Iterator[Drift]:
        for key in self.objects.keys() - set(known):
            if not is_manifest(key) and key.startswith(tuple(self.left_alone)):
                continue
            yield Drift(key, Damage.EXTRA, "no live file leads to it")

    def _written(self, key: str, entry: Entry | None) -> Written:
        """Return what stands under a key, so that no version is given twice."""
        found = self._entry(key)
        if found:
            return Written(found.digest, found.version)
        standing = self.objects.get(key)
        version = standing.version if standing else 0
        return Written("", max(version, entry.version if entry else 0))

    def _concerned(self, suspect: Mapping[str, Written]) -> frozenset[str]:
        """Return the plans that lead to something suspect."""
        return frozenset(
            plan
            for plan, index in self.made.indexes.items()
            if suspect.keys() & (index.keys() | shared_reach([index], self.made.shared))
        )


def _by_key(drift: Drift) -> str:
    return drift.key


def _expiry(text: str) -> int:
    """Return when signed URLs expire, in Unix seconds; at once, where somebody edited that."""
    try:
        return int(moment(text).timestamp())
    except ValueError:
        return 0
