"""Publishing what is affected gives what a full build gives, whatever was edited (spec 5).

`EXPORTER_THOROUGH=1` runs more sequences; the over-build ratio is printed at the end (`-s`).
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.build.inspection import CheckRules, Inspection, inspect_part
from exporter.content.repository import Commit, Repository
from exporter.core import search
from exporter.core.artifacts import Rules
from exporter.core.steps import shared_reach
from exporter.publish import preparation
from exporter.publish.planning import PublishOptions, Workspace
from exporter.publish.settling import Work
from tests.build.contents import content_of, make
from tests.build.edits import CONFIGURATIONS, Edit, State, apply, edits, first_state
from tests.build.test_parallel import assert_workers_agree
from tests.publish.publishing import SchoolRepository, Target, broken_links, without_versions

IS_THOROUGH = os.environ.get("EXPORTER_THOROUGH") == "1"
SEQUENCES = 1500 if IS_THOROUGH else 100
COUNTS: Counter[str] = Counter()


class History(SchoolRepository):
    """A repository in which every sequence of edits has a line of commits of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._clock = 1_800_000_000

    def add(self, files: Mapping[str, str], parent: Commit | None) -> Commit:
        """Commit a snapshot, without a work tree."""
        self._clock += 60
        marks = self.folder / "marks"
        lines = ["commit refs/heads/line", "mark :1"]
        lines += [f"committer Test <t@example.org> {self._clock} +0000", "data 0"]
        if parent:
            lines += [f"from {parent.sha}"]
        lines += ["deleteall"]
        for path, text in files.items():
            lines += [
                f"M 100644 inline content-snapshot/{path}",
                f"data {len(text.encode())}",
                text,
            ]
        subprocess.run(
            ["git", "fast-import", "--quiet", "--force", f"--export-marks={marks}"],
            cwd=self.folder,
            input="\n".join(lines).encode(),
            check=True,
        )
        return Commit(marks.read_text("utf-8").split()[1], self._clock)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    yield History(tmp_path_factory.mktemp("history") / "content")
    if COUNTS["files changed"]:
        ratio = COUNTS["files built"] / COUNTS["files changed"]
        print(f"\n{dict(COUNTS)}: {ratio:.2f} files built for each that changed")  # noqa: T201


SEQUENCE = st.lists(
    st.tuples(st.lists(edits("move", "override", "list"), min_size=1, max_size=3), st.booleans()),
    min_size=1,
    max_size=5,
)
ANY_LAYOUT = st.integers(0, 47).map(lambda number: ("configure", number, 0, 0))


LOWERED: Edit = ("configure", 5, 0, 0)
"""Names that clash are a warning: the later one takes another key."""


@example(
    ("configure", 2, 0, 0),
    [([("override", 0, 4, 1)], False), ([("publish plan", 1, 0, 0)], False)],
).via("a unit loses a lesson that only another plan showed")
@example(
    LOWERED,
    [([("add lesson", 0, 1, 0)], False), ([("add lesson", 4, 2, 1)], False)],
).via("a lesson of another subject takes the key of one that nobody touched")
@example(
    LOWERED,
    [
        ([("add lesson", 0, 1, 0), ("add lesson", 4, 2, 1)], False),
        ([("publish plan", 1, 0, 0), ("publish plan", 2, 0, 0)], False),
    ],
).via("plans that show it go, and its key is free again")
@example(
    ("configure", 30, 0, 0),
    [([("publish plan", 3, 0, 0), ("move", 0, 2, 0)], False)],
).via("a unit of plans that are held back lets go of a lesson, as another plan has it so")
@settings(max_examples=SEQUENCES, suppress_health_check=list(HealthCheck))
@given(first=ANY_LAYOUT, sequence=SEQUENCE)
def test_publishing_what_is_affected_gives_what_a_full_build_gives(
    history: History, first: Edit, sequence: list[tuple[list[Edit], bool]]
) -> None:
    target = Target(history)
    state = apply(first_state(), first)
    commit = history.add(state.files, None)
    _publish(history, target, state, commit)
    for changes, is_missed in sequence:
        before = state
        for edit in changes:
            state = apply(state, edit)
        commit = history.add(state.files, commit)
        if not is_missed:  # a CI run that never came: the next one starts from the live release
            _publish(history, target, state, commit, counted=state.rules == before.rules)
    _publish(history, target, state, commit)
    if IS_THOROUGH:  # a quick run compares fewer, in test_parallel
        assert_workers_agree(state.files, state.rules)


LARGE_PLANS = (*CONFIGURATIONS[:2], CONFIGURATIONS[-1], CheckRules(Rules(addressing="hashed")))
"""Configurations with which only what changed is read of plans with search shards."""
USUAL = ("retitle", "reorder", "price", "move", "add lesson", "list", "override", "link", "flag")


@settings(max_examples=SEQUENCES // 3, suppress_health_check=list(HealthCheck))
@given(
    rules=st.sampled_from(LARGE_PLANS),
    sequence=st.lists(
        st.lists(edits(*USUAL, *USUAL), min_size=1, max_size=2), min_size=2, max_size=5
    ),
)
def test_reading_only_what_changed_publishes_what_reading_everything_does(
    history: History, rules: CheckRules, sequence: list[list[Edit]]
) -> None:
    states = [replace(first_state(), rules=rules)]
    for changes in sequence:
        state = states[-1]
        for edit in changes:
            state = apply(state, edit)
        states.append(state)
    commits: list[Commit] = []
    for state in states:
        commits.append(history.add(state.files, commits[-1] if commits else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MAX_ENTRIES", 0)
        patch.setattr(preparation, "inspect_part", _counted_part)
        in_part = _published(history, states, commits)
        patch.setattr(preparation, "inspect_part", lambda *_arguments: None)
        in_full = _published(history, states, commits)
    assert in_part == in_full


def test_most_usual_edits_are_published_without_reading_everything() -> None:
    assert COUNTS["read in part"] > COUNTS["asked to read in part"] / 3 > 0


def _counted_part(*arguments: Any) -> Inspection | None:
    found = inspect_part(*arguments)
    COUNTS["asked to read in part"] += 1
    COUNTS["read in part"] += found is not None and any(found.standing.values())
    return found


def _published(
    history: History, states: Sequence[State], commits: Sequence[Commit]
) -> list[tuple[object, ...]]:
    """Return what is live after each commit: the files, and what the release says of the plans."""
    target = Target(history)
    seen: list[tuple[object, ...]] = []
    target.hashed = states[0].rules.rules.hashed
    for state, commit in zip(states, commits, strict=True):
        workspace = Workspace(
            Repository(history.folder), "content-snapshot", state.rules, {}, state.fingerprint
        )
        options = PublishOptions(allow_mass_delete=True)
        prepared = target.prepare(commit, options, workspace)
        if not prepared.is_nothing:
            target.publisher().publish(prepared, target.run())
        release = target.ledger.live().release
        assert release is not None
        seen.append((dict(target.cdn.bodies), release.plans, release.lessons, release.kept))
    assert target.audit() == []
    return seen


def _publish(
    history: History, target: Target, state: State, commit: Commit, *, counted: bool = False
) -> None:
    workspace = Workspace(
        Repository(history.folder), "content-snapshot", state.rules, {}, state.fingerprint
    )
    options = PublishOptions(allow_mass_delete=True)
    prepared = target.prepare(commit, options, workspace)
    work: Work | None = getattr(prepared.rework, "work", None)
    if counted and work:
        COUNTS["publishes"] += 1
        COUNTS["files built"] += len(work.built.keys())
        COUNTS["files changed"] += len(prepared.delta.put)
    if not prepared.is_nothing:
        target.publisher().publish(prepared, target.run())
    _assert_is_a_full_build(target, state)


def _assert_is_a_full_build(target: Target, state: State) -> None:
    whole = make(content_of(state.files), state.rules)
    bodies = {key: without_versions(body) for key, body in target.cdn.bodies.items()}
    release = target.ledger.live().release
    assert release is not None
    live = {name: one for name, one in release.plans.items() if one.index}
    late = {name for name, one in live.items() if one.is_behind}
    dead = {name for name, one in release.plans.items() if one.is_dead}
    assert whole.built.plans.keys() - dead <= live.keys() - late
    expected = {
        key: without_versions(data)
        for key, data in whole.files.items()
        if not any(key in whole.built.plans[name] for name in dead & whole.built.plans.keys())
    }
    kept = dict.fromkeys(key for name in late for key in target.ledger.index(live[name].index))
    shared = target.ledger.index(release.lessons)
    indexes = [target.ledger.index(live[name].index) for name in late]
    kept |= dict.fromkeys(shared_reach(indexes, shared))
    still = live.keys() - late - whole.built.plans.keys()
    assert not still or state.broken, "a plan that should be held back or gone is called live"
    assert {key: body for key, body in bodies.items() if key in expected} == expected
    assert bodies.keys() - expected.keys() <= kept.keys()
    assert target.audit() == []
    assert broken_links(target.cdn.bodies) == []
