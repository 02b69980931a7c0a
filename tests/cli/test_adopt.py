"""`exporter adopt` as a person meets it: what it says, and what it leaves alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from exporter.demo.site import create_site
from exporter.publish.journal import Journal, Written
from exporter.stores.base import Attributes
from exporter.stores.folder import FolderStore
from tests.cli.running import CONFIG, commit_all, run
from tests.e2e.command_line import files_below, traces_below


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the school is kept once a test has made it, whose environment is its own."""
    return tmp_path_factory.mktemp("kept") / "school"


@pytest.fixture
def lost(kept: Path, tmp_path: Path) -> Path:
    """Return a published school of which the state store is lost."""
    if not kept.exists():
        kept.mkdir()
        _publish_and_lose(kept)
    return shutil.copytree(kept, tmp_path, dirs_exist_ok=True)


def _publish_and_lose(root: Path) -> None:
    create_site(root / "site.db", 20)
    (root / "exporter.yaml").write_text(CONFIG, encoding="utf-8")
    (root / ".gitignore").write_text("/public/\n/.exporter/\n*.db\n", encoding="utf-8")
    run(root, "init", ".")
    commit_all(root, "A content repository")
    run(root, "snapshot")
    run(root, "publish")
    shutil.rmtree(root / ".exporter" / "local")


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
    live = len(files_below(lost / "public"))
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
    assert told.out.splitlines()[-2:] == [
        f"as that commit makes them: {live - 1} of {live} live files, 3 of 3 plans",
        "wrong on the CDN: 2 objects; `exporter publish` puts it right",
    ]
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


def test_a_journal_without_a_head_is_of_a_lost_ledger_too(lost: Path) -> None:
    """A purge is owed, or a later publish or an adoption died."""
    state = FolderStore(lost / ".exporter" / "local")
    put = {"lessons/L.json": Written("", 1)}
    for left in (
        Journal("run", owed=("run",)),
        Journal("run", base="an-earlier-release", put=put),
        Journal(suspect=put),
    ):
        state.put("journal.json", orjson.dumps(left.to_json()), Attributes())
        refused = run(lost, "publish")
        assert (refused.status, "run `exporter adopt`" in refused.err) == (3, True), left
        assert "exporter adopt" in run(lost, "status").out, left


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


def retitle_everything(root: Path) -> None:
    for file in (root / "content-snapshot").rglob("[!_]*.yaml"):
        text = file.read_text("utf-8")
        file.write_text(text.replace("\ntitle: ", "\ntitle: New ", 1), "utf-8")
    commit_all(root, "All of it has another title")


def test_a_commit_that_was_not_live_is_told_by_what_was_compared(lost: Path) -> None:
    live = len(files_below(lost / "public"))
    retitle_everything(lost)
    told = run(lost, "adopt", "--commit", "HEAD", "--dry-run").out.splitlines()
    counts = next(line for line in told if line.startswith("as that commit makes them: "))
    same, _, rest = counts.removeprefix("as that commit makes them: ").partition(" ")
    assert int(same) < live / 2
    assert rest == f"of {live} live files, 0 of 3 plans"
    assert "no plan is: is that the commit that was live? Without --commit it is found" in told
    assert run(lost, "adopt", "--commit", "HEAD~1", "--dry-run").status == 0


def test_students_see_a_plan_that_no_commit_explains(lost: Path) -> None:
    run(lost, "adopt")
    retitle_everything(lost)
    run(lost, "publish")
    shutil.rmtree(lost / ".exporter" / "local")
    for command in (
        ["reset", "--quiet", "--hard", "HEAD~1"],
        ["reflog", "expire", "--expire=now", "--all"],
        ["gc", "--quiet", "--prune=now"],
    ):
        subprocess.run(["git", *command], cwd=lost, check=True)
    plan = "GRADE-12-SCI-2026"
    files = len(files_below(lost / "public" / "plans" / plan))
    run(lost, "adopt", "--commit", "HEAD")
    lines = run(lost, "status").out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith(f"  {plan}: "))
    assert lines[at].startswith(f"  {plan}: stays as it was, adopted as it stands: not what commit")
    assert lines[at + 1] == f"    students see the {files} files that were on the CDN"
