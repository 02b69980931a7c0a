"""What this version does not do is refused, not silently ignored."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.running import CONFIG, commit_all, content_repository, run

PLAN = {
    "plans/P.yaml": "name: P\ntitle: Plan\nis_published: true\nsubjects:\n"
    "  - subject: S\n    sort_order: 1\n",
    "subjects/S/_subject.yaml": "name: S\ntitle: Subject\nis_published: true\n",
}
OTHER = PLAN["plans/P.yaml"].replace("name: P", "name: Q")


def test_hashed_keys_are_refused_with_files_that_link_to_one_another(tmp_path: Path) -> None:
    config = CONFIG + "publish: {addressing: hashed}\nbuild: {layouts: [atomic, monolithic]}\n"
    root = content_repository(tmp_path, {}, config)
    for command in ("plan", "publish", "status"):
        said = run(root, command)
        assert said.status == 2
        assert "3: publish.addressing" in said.err
        assert 'layout "monolithic"' in said.err
    assert not (root / "public").exists()


def test_a_wrong_snapshot_path_is_no_empty_release(tmp_path: Path) -> None:
    root = content_repository(tmp_path, PLAN)
    assert run(root, "publish").status == 0
    live = run(root, "status", "--json").report["live"]
    (root / "exporter.yaml").write_text(CONFIG + "snapshot: {path: contnt}\n", encoding="utf-8")
    for command in ("plan", "publish"):
        said = run(root, command)
        assert (said.status, "snapshot.path" in said.err) == (3, True)
    (root / "exporter.yaml").write_text(CONFIG, encoding="utf-8")
    assert run(root, "status", "--json").report["live"] == live


@pytest.mark.parametrize("command", [["plan"], ["publish", "--dry-run"]])
def test_what_a_guard_keeps_back_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr("exporter.publish.guarding.MASS_DELETE_FLOOR", 0)
    config = CONFIG + "publish: {max_delete_ratio: 0}\n"
    root = content_repository(tmp_path, {**PLAN, "plans/Q.yaml": OTHER}, config)
    assert run(root, "publish").status == 0
    old = git(root, "rev-parse", "HEAD")
    (root / "content-snapshot/plans/Q.yaml").unlink()
    commit_all(root, "One plan goes")
    refused = run(root, *command)
    assert (refused.status, "`exporter plan --allow-mass-delete` lists" in refused.err) == (3, True)
    shown = run(root, *command, "--allow-mass-delete")
    assert (shown.status, "delete  plans/Q/manifest.json" in shown.out) == (0, True)
    assert run(root, "publish", "--allow-mass-delete").status == 0
    refused = run(root, *command, "--ref", old)
    assert (refused.status, "`exporter plan --allow-older`" in refused.err) == (3, True)
    shown = run(root, *command, "--ref", old, "--allow-older")
    assert (shown.status, "put     plans/Q/manifest.json" in shown.out) == (0, True)


def test_init_refuses_a_password_before_it_writes_anything(tmp_path: Path) -> None:
    url = "mysql+pymysql://reader:hunter2@db/site"
    said = run(tmp_path, "init", "new", "--source", url)
    assert (said.status, "hunter2" in said.err) == (2, False)
    assert not (tmp_path / "new").exists()


def test_the_demo_is_a_repository_of_its_own_also_inside_another_one(tmp_path: Path) -> None:
    root = content_repository(tmp_path, PLAN)
    before = git(root, "rev-parse", "HEAD")
    for _ in range(2):
        assert run(root, "demo", "demo-site", "--lessons", "20").status == 0
    assert git(root, "rev-parse", "HEAD") == before
    assert git(root / "demo-site", "rev-parse", "--show-toplevel") == str(root / "demo-site")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
