"""However many processes share a build, it makes the same bytes and finds the same problems."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.build import builder
from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.workers import Workers
from tests.build.contents import BOTH, MONOLITHIC, content_of, make, make_in
from tests.build.edits import Edit, apply, edits, first_state

ATOMIC = CheckRules(Rules())


FORKED = Workers(3, start="fork", worth=1)


def edited(*sequence: Edit) -> dict[str, str]:
    state = first_state()
    for edit in sequence:
        state = apply(state, edit)
    return state.files


def assert_workers_agree(
    files: Mapping[str, str], rules: CheckRules, workers: Workers = FORKED
) -> None:
    content = content_of(files)
    alone = make(content, rules)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder, "CHUNK", 2)
        shared = make_in(Path(folder), content, rules, workers)
    assert shared.built == alone.built
    assert list(shared.built.plans) == list(alone.built.plans)
    assert shared.files == alone.files


@settings(max_examples=15)
@given(
    sequence=st.lists(edits("mistake", "override"), max_size=6),
    rules=st.sampled_from((ATOMIC, MONOLITHIC, BOTH)),
)
def test_workers_make_what_one_process_makes(sequence: list[Edit], rules: CheckRules) -> None:
    assert_workers_agree(edited(*sequence), rules)


@pytest.mark.parametrize("rules", [ATOMIC, BOTH], ids=["atomic", "both layouts"])
def test_spawned_workers_make_what_one_process_makes(rules: CheckRules) -> None:
    poster: Edit = ("mistake", 1, 1, 0)
    assert_workers_agree(edited(poster), rules, Workers(2, start="spawn", worth=1))


def test_the_mistake_of_a_stage_is_one_that_only_building_shows() -> None:
    some = make(content_of(edited(("mistake", 1, 1, 0))))
    assert [one.code for one in some.built.findings] == ["E112"]
