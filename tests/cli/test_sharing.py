"""A publish that several machines share, as commands on a target in a folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.cli.session import Session
from tests.cli.running import CONFIG, Said, commit_all, content_repository, run

HASHED = CONFIG + "publish: {addressing: hashed}\n"
PLAN = "name: {0}\ntitle: Plan\nis_published: true\nsubjects:\n  - subject: S\n    sort_order: 1\n"
FILES = {
    **{f"plans/{name}.yaml": PLAN.format(name) for name in ("P", "Q", "R")},
    "subjects/S/_subject.yaml": "name: S\ntitle: Subject\nis_published: true\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return content_repository(tmp_path, FILES, HASHED)


def prepare(root: Path, shard: str, *more: str) -> Said:
    return run(root, "publish", "--prepare", "--shard", shard, *more)


def records(root: Path) -> list[str]:
    return sorted(file.name for file in (root / ".exporter/local/shards").rglob("*.json"))


def test_the_matrix_leads_to_shards_and_these_to_a_release(root: Path) -> None:
    matrix = run(root, "plan", "--matrix", "2").report
    assert matrix == {"include": [{"shard": "1/2", "plans": 2}, {"shard": "2/2", "plans": 1}]}
    assert run(root, "plan", "--matrix", "9").report["include"][-1] == {"shard": "3/3", "plans": 1}
    said = [prepare(root, job["shard"]) for job in matrix["include"]]
    assert [one.out.splitlines()[0] for one in said] == [
        "shard 1/2 is ready: 6 files put (1,120 bytes) for 2 plans",
        "shard 2/2 is ready: 3 files put (560 bytes) for 1 plan",
    ]
    assert records(root) == ["1-of-2.json", "2-of-2.json"]
    done = run(root, "publish", "--finish", "--shards", "2", "--json")
    assert done.status == 0
    assert done.report["files_put"] == 12
    assert records(root) == []
    assert run(root, "verify").status == 0
    assert run(root, "publish", "--finish", "--shards", "2").out.startswith("nothing to do")
    assert prepare(root, "1/2").out == "nothing to do: no plan is left for shard 1/2\n"
    nothing = run(root, "plan", "--matrix", "2")
    assert (nothing.report, nothing.err.split(":")[0]) == ({"include": []}, "nothing to share out")


def test_a_job_of_github_gets_the_matrix_and_the_number_of_shards_as_outputs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    printed = run(root, "plan", "--matrix", "2").report
    found = dict(line.split("=", 1) for line in outputs.read_text("utf-8").splitlines())
    assert (json.loads(found["matrix"]), found["shards"]) == (printed, "2")


def test_one_plan_is_not_shared_out(root: Path) -> None:
    run(root, "publish")
    file = root / "content-snapshot/plans/P.yaml"
    file.write_text(file.read_text("utf-8").replace("title: Plan", "title: Other"), "utf-8")
    commit_all(root, "Another title")
    said = run(root, "plan", "--matrix", "3")
    assert said.report == {"include": []}
    assert said.err == "nothing to share out: 1 plan to build\n"


def test_a_shard_that_is_missing_is_refused_with_what_to_run(root: Path) -> None:
    prepare(root, "1/2")
    refused = run(root, "publish", "--finish", "--shards", "2")
    assert refused.status == 3
    assert "shard 2/2 is missing" in refused.err
    assert "`exporter publish --prepare --shard 2/2`" in refused.err
    assert not list((root / "public").rglob("manifest.json"))


def test_a_plan_that_is_held_back_is_told_by_its_shard_and_ends_the_last_step_with_1(
    root: Path,
) -> None:
    file = root / "content-snapshot/plans/Q.yaml"
    file.write_text(file.read_text("utf-8").replace("subject: S", "subject: NONE"), "utf-8")
    commit_all(root, "A subject that is not there")
    said = [prepare(root, "1/2", "--json"), prepare(root, "2/2", "--json")]
    assert [one.status for one in said] == [0, 0]
    assert [held for one in said for held in one.report["held"]] == ["Q"]
    assert [why[:38] for one in said for why in one.report["held"].values()] == [
        "E111 content-snapshot/plans/Q.yaml:5: "
    ]
    done = run(root, "publish", "--finish", "--shards", "2", "--json")
    states = {name: one["state"] for name, one in done.report["record"]["plans"].items()}
    assert (done.status, states) == (1, {"P": "published", "Q": "held back", "R": "published"})


def test_what_nobody_finished_is_no_surprise_to_verify_and_gc_takes_it_after_a_day(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root, "publish")
    before = set((root / "public").rglob("*.json"))
    file = root / "content-snapshot/subjects/S/_subject.yaml"
    file.write_text(file.read_text("utf-8").replace("Subject", "Better"), "utf-8")
    commit_all(root, "A better title")
    prepare(root, "1/2")
    assert len(list((root / "public").rglob("*.json"))) > len(before)
    assert run(root, "verify").status == 0
    assert run(root, "gc").out.startswith("nothing to do")
    monkeypatch.setattr(Session, "now", lambda _session: datetime.now(UTC) + timedelta(days=1.1))
    assert run(root, "gc", "--dry-run", "--json").report["bytes_deleted"] > 0
    assert records(root) == ["1-of-2.json"]
    assert run(root, "gc").status == 0
    assert set((root / "public").rglob("*.json")) == before
    assert records(root) == []
    assert run(root, "verify").status == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--prepare",), "--prepare goes with --shard"),
        (("--shard", "1/2"), "--prepare goes with --shard"),
        (("--finish",), "--finish with --shards"),
        (("--shards", "2"), "--finish with --shards"),
        (("--prepare", "--shard", "1/2", "--finish", "--shards", "2"), "are two steps"),
        (("--prepare", "--shard", "1/2", "--plan", "P"), "is of all plans"),
        (("--finish", "--shards", "2", "--dry-run"), "is really done"),
        (("--prepare", "--shard", "3/2"), "'3/2' is no shard"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    root: Path, arguments: tuple[str, ...], told: str
) -> None:
    refused = run(root, "publish", *arguments)
    assert (refused.status, told in refused.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--matrix", "2"),
        ("publish", "--prepare", "--shard", "1/2"),
        ("publish", "--finish", "--shards", "2"),
    ],
)
def test_stable_keys_are_refused_with_what_to_set(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    refused = run(content_repository(tmp_path, FILES, CONFIG), *arguments)
    assert refused.status == 2
    assert "set `addressing: hashed` under `publish`" in refused.err
