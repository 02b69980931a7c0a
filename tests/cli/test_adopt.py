"""`exporter adopt` as a person meets it: what it says, and what it leaves alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from exporter.demo.site import create_site
from exporter.publish.journal import Journal, Written
from exporter.stores.base import Attributes
from exporter.stores.folder import FolderStore
from tests.cli.running import CONFIG, commit_all, run
from tests.e2e.command_line import traces_below


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """Return a published school of which the state store is lost."""
    create_site(tmp_path / "site.db", 20)
    (tmp_path / "exporter.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / ".gitignore").write_text("/public/\n/.exporter/\n*.db\n", encoding="utf-8")
    run(tmp_path, "init", ".")
    commit_all(tmp_path, "A content repository")
    run(tmp_path, "snapshot")
    run(tmp_path, "publish")
    shutil.rmtree(tmp_path / ".exporter" / "local")
    return tmp_path


def test_a_dry_run_only_tells(lost: Path) -> None:
    before = traces_below(lost, without=(".git",))
    told = run(lost, "adopt", "--dry-run")
    assert (told.status, told.out.splitlines()[-1]) == (0, "everything is as that commit makes it")
    assert told.out.startswith("would adopt ")
    report = run(lost, "adopt", "--dry-run", "--json").report
    assert (report["release"], report["drift"]) == (None, [])
    assert {plan["state"] for plan in report["plans"].values()} == {"published"}
    assert traces_below(lost, without=(".git",)) == before


def test_what_is_wrong_is_told_and_put_right(lost: Path) -> None:
    files = sorted((lost / "public" / "lessons").iterdir())
    whole = files[0].read_bytes()
    files[0].unlink()
    (lost / "public" / "lessons" / "nobody.json").write_text("{}", encoding="utf-8")
    told = run(lost, "adopt")
    key = f"lessons/{files[0].name}"
    assert told.status == 1
    assert told.out.splitlines()[:2] == [
        f"missing   {key}: there is no such object",
        "extra     lessons/nobody.json: no live file leads to it",
    ]
    ends = "3 of 3 plans as in that commit, and wrong on the CDN: 2 objects; "
    assert told.out.splitlines()[-1] == f"{ends}`exporter publish` puts it right"
    assert "unfinished" in run(lost, "status").out
    assert "what an unfinished publish had left is in order now" in run(lost, "publish").out
    assert (files[0].read_bytes(), files[-1].exists()) == (whole, True)
    assert not (lost / "public" / "lessons" / "nobody.json").exists()
    assert run(lost, "verify").out.startswith("nothing is wrong")
    assert run(lost, "publish").out.startswith("nothing to do")


def test_nothing_is_published_over_files_of_a_lost_ledger(lost: Path) -> None:
    before = traces_below(lost, without=(".git",))
    forgotten = "the CDN store has files of an earlier release: run `exporter adopt` before "
    assert forgotten in run(lost, "status").out
    for command in (["publish"], ["publish", "--dry-run"], ["plan"]):
        refused = run(lost, *command)
        assert (refused.status, "run `exporter adopt`" in refused.err) == (3, True), command
        assert "has files of an earlier release, such as plans/" in refused.err
    assert traces_below(lost, without=(".git",)) == before
    run(lost, "adopt")
    assert forgotten not in run(lost, "status").out
    assert run(lost, "publish").out.startswith("nothing to do")


def test_who_wants_to_may_publish_over_them(lost: Path) -> None:
    assert run(lost, "plan", "--allow-older").out.startswith("put     lessons/")
    assert run(lost, "publish", "--allow-older").status == 0
    assert run(lost, "verify").out.startswith("nothing is wrong")


def test_a_first_publish_that_died_is_ended_and_not_refused(lost: Path) -> None:
    left = Journal("a-run-that-died", put={"lessons/L.json": Written("", 1)})
    FolderStore(lost / ".exporter" / "local").put(
        "journal.json", orjson.dumps(left.to_json()), Attributes()
    )
    assert "an earlier release" not in run(lost, "status").out
    assert run(lost, "publish").status == 0


def test_a_store_without_a_plan_is_not_adopted(lost: Path) -> None:
    shutil.rmtree(lost / "public")
    refused = run(lost, "adopt")
    assert (refused.status, "nothing can be adopted" in refused.err) == (2, True)
    assert not (lost / ".exporter" / "local").exists()


def test_a_living_ledger_is_left_alone(lost: Path) -> None:
    run(lost, "adopt")
    before = traces_below(lost, without=(".git",))
    assert run(lost, "adopt").status == run(lost, "adopt", "--dry-run").status == 3
    assert traces_below(lost, without=(".git",)) == before


def test_a_record_that_is_lost_alone_says_the_way_out(lost: Path) -> None:
    run(lost, "adopt")
    state = lost / ".exporter" / "local"
    shutil.rmtree(state / "releases")
    assert "delete head.json there and run `exporter adopt`" in run(lost, "status").err
    (state / "head.json").unlink()
    assert run(lost, "adopt").status == 0
    assert run(lost, "publish").out.startswith("nothing to do")
