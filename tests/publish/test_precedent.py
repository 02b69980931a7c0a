"""Going back to a release of which files still stand: they are taken from it, not made again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.content.repository import Commit, Repository
from exporter.core import search
from exporter.core.addressing import plain_key
from exporter.core.release import Release
from exporter.publish import preparation
from exporter.publish.collecting import collect
from exporter.publish.livefiles import read_live_files
from exporter.publish.prepared import PublishOptions, Workspace
from tests.build.contents import files_of
from tests.build.edits import Edit, State, apply, edits, first_state
from tests.cli.running import CONFIG, commit_all, content_repository, run, write_files
from tests.publish.publishing import FOLDER, HASHED, SchoolRepository, Target, whole_plans
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, Documents, changed

SEQUENCES = 200 if os.environ.get("EXPORTER_THOROUGH") == "1" else 4
COUNTS: Counter[str] = Counter()
USUAL = ("retitle", "reorder", "price", "move", "add lesson", "list", "override", "link", "flag")
FIRST = "run-001"
REVERT = 'Revert "content"\n\nThis reverts commit 0123456789abcdef.\n'
ANY = PublishOptions(allow_mass_delete=True)


@pytest.fixture(autouse=True)
def _search_files_by_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search of plans this small be cut by subject, as that of large ones is."""
    monkeypatch.setattr(search, "MAX_ENTRIES", 0)


@pytest.fixture
def place(schools: SchoolRepository) -> Workspace:
    return replace(schools.addressed(hashed=True), exporter="0")


def back_to(release: str) -> str:
    return f"rollback: content\n\nExporter-Rollback: {release}\nExporter-Plans: ONE\n"


def publish(target: Target, place: Workspace, documents: Documents, message: str = "") -> Release:
    commit = target.school.commit(documents, message or "content")
    return _release(target, place, commit)


def _release(target: Target, place: Workspace, commit: Commit) -> Release:
    published = target.publish(commit, ANY, place)
    assert published is not None
    assert target.audit() == []
    return published.release


def live(target: Target) -> tuple[object, ...]:
    """Return what a publish makes of a target, but for how it says that it did."""
    release = target.ledger.live().release
    assert release is not None
    return target.cdn.bodies, release.plans, release.lessons, release.kept, release.files_put


def read_by(target: Target, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Note which files of HEAD's snapshot folder are read from now on, by their names."""
    repository, read = target.school.repository, set[str]()
    blobs = repository.blobs

    def noting(hashes: Iterable[str]) -> Iterator[bytes]:
        wanted = list(hashes)
        tree = repository.tree(repository.resolve("HEAD").sha, "content-snapshot")
        read.update(path.rpartition("/")[2] for path, blob in tree.items() if blob in wanted)
        return blobs(wanted)

    monkeypatch.setattr(repository, "blobs", noting)
    return read


def test_only_plans_and_subjects_are_read_and_only_manifests_put(
    target: Target, place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(target, place, BASE)
    first = target.cdn.bodies
    publish(target, place, SHRUNK)
    read = read_by(target, monkeypatch)
    target.cdn.calls.clear()
    release = publish(target, place, BASE, back_to(FIRST))
    assert release.precedent == FIRST
    assert read == {"_subject.yaml", "ONE.yaml", "TWO.yaml", "THREE.yaml"}
    manifests = [f"plans/{name}/manifest.json" for name in ("ONE", "THREE", "TWO")]
    assert sorted(target.cdn.calls) == [("put", key) for key in manifests]
    same = {key: body for key, body in first.items() if key not in manifests}
    assert {key: target.cdn.bodies[key] for key in same} == same


@pytest.mark.parametrize("message", [back_to(FIRST), back_to("20261121T082041Z-3f2a1bc9"), REVERT])
def test_what_is_live_then_is_what_making_everything_gives(
    target: Target, place: Workspace, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(target, place, BASE)
    publish(target, place, SHRUNK)
    assert publish_both_ways(target, place, BASE, message, monkeypatch).precedent == FIRST


def publish_both_ways(
    target: Target,
    place: Workspace,
    documents: Documents,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Release:
    """Publish, and on a twin publish making everything: the same is live."""
    twin, commit = target.copy(), target.school.commit(documents, message)
    release = _release(target, place, commit)
    monkeypatch.setattr(preparation, "find_precedent", lambda *_arguments: None)
    assert _release(twin, place, commit).precedent == ""
    assert live(target) == live(twin)
    return release


def test_a_release_further_back_and_a_plan_that_was_held_back_in_it(
    target: Target, place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(target, place, BASE)
    bad = publish(target, place, BAD)
    publish(target, place, SHRUNK)
    publish(target, place, changed(SHRUNK, "P-1a", title="Other"))
    release = publish_both_ways(target, place, BAD, back_to(bad.id), monkeypatch)
    assert {name for name, one in release.plans.items() if one.is_behind} == {"ONE", "THREE"}
    assert release.precedent == bad.id


@pytest.mark.parametrize("lost", ["lessons/M-1a.json", "plans/ONE/M-O1.json", ""])
def test_what_gc_took_is_made_again(
    target: Target, place: Workspace, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(target, place, BASE)
    first = whole_plans(target.cdn.bodies)
    publish(target, place, EDITED)
    kept = target.ledger.kept(target.ledger.live().release)
    _collect(target, place, {key for key in kept if plain_key(key) == lost or not lost})
    release = publish_both_ways(target, place, BASE, back_to(FIRST), monkeypatch)
    of_one = lost.startswith("plans/ONE/")  # all that plan TWO needs still stands
    assert release.precedent == (FIRST if of_one else "")
    assert whole_plans(target.cdn.bodies) == first


def _collect(target: Target, place: Workspace, keys: set[str]) -> None:
    """Delete some of what stands on, as a `gc` does."""
    found = read_live_files(target.ledger)
    rest = {key: replace(one, until=2**40) for key, one in found.kept.items() if key not in keys}
    old = {key: replace(one, until=0) for key, one in found.kept.items() if key in keys}
    aged = replace(found, kept={**rest, **old})
    collected = collect(place, target.ledger, aged, limit=1, abandoned={})
    assert collected.prepared is not None
    target.publisher().publish(collected.prepared, target.run())


class History(SchoolRepository):
    """A repository in which any snapshot is committed on top of any other one."""

    def add(self, state: State, parent: Commit | None, message: str) -> Commit:
        """Commit a snapshot, without a work tree."""
        self._time += 60
        stream = "\n".join(
            [
                "commit refs/heads/line",
                f"committer Test <t@example.org> {self._time} +0000",
                f"data {len(message)}",
                message,
                *([f"from {parent.sha}"] if parent else []),
                "deleteall",
                *(
                    f"M 100644 inline {FOLDER}/{path}\ndata {len(text.encode())}\n{text}"
                    for path, text in state.files.items()
                ),
            ]
        )
        self.repository.git("fast-import", "--quiet", "--force", feed=stream.encode())
        return Repository(self.folder).resolve("line")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("history") / "content")


STEPS = st.lists(
    st.tuples(st.lists(edits(*USUAL), max_size=2), st.integers(1, 5)), min_size=3, max_size=5
)
"""Edits, or where there are none, a way back by so many states."""


@example([([("retitle", 0, 0, 0)], 1), ([("move", 0, 2, 0)], 1), ([], 2), ([], 1), ([], 3)])
@settings(max_examples=SEQUENCES, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_way_back_and_forth_gives_what_making_everything_gives(
    history: History, steps: list[tuple[list[Edit], int]]
) -> None:
    states, commits = [replace(first_state(), rules=HASHED)], list[Commit]()
    commits.append(history.add(states[0], None, "content"))
    for changes, back in steps:
        number = max(len(states) - 1 - back, 0)
        state = reduce(apply, changes, states[-1]) if changes else states[number]
        message = "content" if changes else back_to(f"run-{number + 1:03}")
        commits.append(history.add(state, commits[-1], message))
        states.append(state)
    taken = _published(history, commits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "find_precedent", lambda *_arguments: None)
        assert taken == _published(history, commits)


def _published(history: History, commits: list[Commit]) -> list[tuple[object, ...]]:
    """Return what is live after each commit; a release each."""
    target, seen = Target(history), list[tuple[object, ...]]()
    place = replace(history.addressed(hashed=True), exporter="0")
    for commit in commits:
        COUNTS["taken"] += _release(target, place, commit).precedent != ""
        seen.append(live(target))
    return seen


def test_many_ways_back_took_files_from_a_release() -> None:
    assert COUNTS["taken"] > SEQUENCES / 3


def test_the_command_line_tells_of_it(tmp_path: Path) -> None:
    config = f"publish: {{addressing: hashed}}\n{CONFIG}"
    root = content_repository(tmp_path / "school", files_of(*BASE), config)
    first = run(root, "publish", "--json").report["release"]
    write_files(root / FOLDER, files_of(*EDITED))
    commit_all(root, "Better")
    run(root, "publish")
    assert run(root, "rollback", first).status == 0
    published = run(root, "publish")
    assert f"going back to release {first}: its files stand" in published.err
    assert f"files of {first} taken as they stood" in run(root, "show").out
    assert run(root, "verify").status == 0


class TestEverythingIsMade:
    def test_by_another_exporter(self, target: Target, place: Workspace) -> None:
        publish(target, place, BASE)
        publish(target, place, EDITED)
        newer = replace(place, exporter="1")
        assert publish(target, newer, BASE, back_to(FIRST)).precedent == ""

    def test_with_another_fingerprint(self, target: Target, place: Workspace) -> None:
        publish(target, replace(place, fingerprint="before"), BASE)
        publish(target, place, EDITED)
        assert publish(target, place, BASE, back_to(FIRST)).precedent == ""

    def test_of_content_that_no_release_had(self, target: Target, place: Workspace) -> None:
        publish(target, place, BASE)
        publish(target, place, EDITED)
        other = changed(BASE, "P-1a", title="Another one")
        assert publish(target, place, other, back_to(FIRST)).precedent == ""

    def test_of_a_commit_that_goes_back_without_saying_so(
        self, target: Target, place: Workspace
    ) -> None:
        publish(target, place, BASE)
        publish(target, place, EDITED)
        assert publish(target, place, BASE).precedent == ""

    def test_where_keys_carry_no_digest(self, target: Target, schools: SchoolRepository) -> None:
        stable = replace(schools.addressed(hashed=False), exporter="0")
        publish(target, stable, BASE)
        publish(target, stable, EDITED)
        assert publish(target, stable, BASE, back_to(FIRST)).precedent == ""

    def test_where_media_urls_are_signed(self, target: Target, place: Workspace) -> None:
        signing = replace(place, signed=(b"https://media.example.org/",))
        publish(target, signing, BASE)
        publish(target, signing, EDITED)
        assert publish(target, signing, BASE, back_to(FIRST)).precedent == ""


@pytest.mark.parametrize("of", ["a plan", "what is shared"])
def test_where_an_old_index_is_gone_everything_is_made(
    target: Target, place: Workspace, of: str
) -> None:
    first = publish(target, place, BASE)
    publish(target, place, EDITED)
    digest = first.plans["TWO"].index if of == "a plan" else first.lessons
    target.state.delete([f"indexes/{digest}.json"])
    publish(target, place, BASE, back_to(FIRST))
