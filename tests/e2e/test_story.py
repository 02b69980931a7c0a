"""The product's main job, from a database to the CDN and back, as `README.md` tells it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from exporter.core.model import LESSON, PLAN, SUBJECT
from exporter.demo.site import edit_lesson_title, set_field
from tests.e2e.command_line import Place, files_below, traces_below
from tests.e2e.reader import bodies, crawl, schema_problems

SHARED = "LESSON-MATH-001"
SCIENCE, ARTS, BRIDGE = "GRADE-12-SCI-2026", "GRADE-12-LIT-2026", "GRADE-11-BRIDGE-2026"

HEAVY = ("boto3", "git", "httpx", "jsonschema", "rich", "ruamel", "sqlalchemy")


def test_the_demo_tells_what_really_happened(tmp_path: Path) -> None:
    place = Place(tmp_path)
    told = place.exporter("demo", "site").out
    site = Place(tmp_path / "site")
    commits = site.git("log", "--format=%H %s")
    releases = site.exporter("releases", "100", "--json").report["releases"]
    files = site.published()
    for sha in re.findall(r"^   ([0-9a-f]{10}) ", told, re.MULTILINE):
        assert re.search(rf"^{sha}", commits, re.MULTILINE), sha
    told_releases = re.findall(r"release (\S+): (\d+) files put \(([\d,]+) bytes\), (\d+)", told)
    assert [
        (each["id"], each["files_put"], each["bytes_put"], each["files_deleted"])
        for each in reversed(releases)
    ] == [
        (id_, int(put), int(size.replace(",", "")), int(deleted))
        for id_, put, size, deleted in told_releases
    ]
    shown = re.findall(r"^   put (\S+)$", told, re.MULTILINE)
    assert shown, told
    assert set(shown) <= files.keys()
    assert "(revised)" in files[next(key for key in shown if key.startswith("lessons/"))].decode()
    free = sum(
        lesson["access"]["access_level"] == "free_preview"
        for key, body in files.items()
        if key.startswith("plans/") and "parent" in (topic := json.loads(body))
        for lesson in topic["lessons"]
    )
    counted = re.search(r"Free lessons.*: (\d+) before, (\d+) after the bad edit, (\d+) now", told)
    assert counted is not None
    before, given_away, now = map(int, counted.groups())
    assert (before, now) == (free, free)
    assert given_away > before
    assert crawl(files) == files.keys()
    assert site.exporter("plan").out.startswith("nothing to do")
    for line in told.split("Look around:\n")[1].splitlines():
        subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert {"exporter.yaml", "README.md", ".gitignore"} <= set(site.git("ls-files").split())


def test_the_demo_starts_again_in_its_own_folder(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.exporter("demo", "site", "--lessons", "20").err == ""
    first = Place(tmp_path / "site").git("rev-list", "--count", "HEAD")
    (tmp_path / "site" / "left-behind.txt").write_text("from the first time", "utf-8")
    again = place.exporter("demo", "site", "--lessons", "20")
    assert again.err == "site was made by an earlier demo: made anew\n"
    assert re.search(r"held: \S+ .+ \(rolled back in \w{7} by Head of Content\)", again.out)
    assert Place(tmp_path / "site").git("rev-list", "--count", "HEAD") == first
    assert not (tmp_path / "site" / "left-behind.txt").exists()


def test_the_demo_leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("three years of work", "utf-8")
    before = traces_below(tmp_path)
    refused = Place(tmp_path).exporter("demo", "site", status=2)
    assert str(tmp_path / "site") in refused.err
    assert "try: name another folder" in refused.err
    assert traces_below(tmp_path) == before


def test_an_empty_folder_becomes_a_published_school(tmp_path: Path, made_site: Path) -> None:
    root = tmp_path / "content"
    made = Place(tmp_path).exporter("init", "content").out
    assert re.findall(r"^(?:made|wrote) +(.+)$", made, re.MULTILINE)[:2] == [
        "a git repository",
        "exporter.yaml",
    ]
    url = {"EXPORTER_DATABASE_URL": f"sqlite:///{made_site}"}
    place = Place(root, environment=url)
    told = place.exporter("--quiet", "snapshot").out
    assert re.fullmatch(r"\w{12}  content: .+\n\d+ files written, 0 deleted\n", told)
    assert place.exporter("check").out.endswith("0 errors, 0 warnings\n")
    place.exporter("publish")
    assert crawl(place.published()) == place.published().keys() != set()
    kept = traces_below(root, without=(".git",))
    again = place.exporter("init", ".").out
    assert "wrote" not in again
    assert traces_below(root, without=(".git",)) == kept


def test_init_asks_nothing_that_a_flag_can_say(tmp_path: Path, made_site: Path) -> None:
    Place(tmp_path).exporter(
        *("init", "content", "--source", f"sqlite:///{made_site}", "--target", "live"),
        *("--store", "./www", "--state", "./ledger", "--author", "أمينة <amina@school.example>"),
    )
    place = Place(tmp_path / "content")
    place.exporter("snapshot")
    assert place.git("log", "-1", "--format=%an <%ae>") == "أمينة <amina@school.example>"
    place.exporter("publish", "--target", "live")
    files = files_below(place.root / "www")
    assert crawl(files) == files.keys() != set()
    assert (place.root / "ledger" / "head.json").is_file()


def test_everything_that_is_published_fits_its_schema_and_is_linked(live: Place) -> None:
    files = live.published()
    assert schema_problems(files) == []
    assert crawl(files) == files.keys()
    assert {key.split("/")[1] for key in files if key.startswith("plans/")} == {
        SCIENCE,
        ARTS,
        BRIDGE,
    }


def test_a_snapshot_of_what_is_committed_already_makes_no_commit(school: Place) -> None:
    before = school.everything()
    for arguments in ((), ("--full",), ("--no-commit",)):
        assert school.exporter("snapshot", *arguments).out.startswith("nothing changed")
    assert school.everything() == before


def test_a_second_publish_of_the_same_commit_writes_nothing(live: Place) -> None:
    before = traces_below(live.root, without=(".git",))
    again = live.exporter("publish").out
    assert again.startswith(f"nothing to do: commit {live.git('rev-parse', 'HEAD')[:12]} is live")
    assert live.exporter("plan").out.startswith("nothing to do")
    assert live.exporter("publish", "--json").report["changed"] is False
    assert traces_below(live.root, without=(".git",)) == before


def test_plan_and_dry_run_show_the_steps_that_publish_takes(live: Place) -> None:
    with live.editing() as connection:
        edit_lesson_title(connection, SHARED, "Another title")
        set_field(connection, LESSON, "LESSON-MATH-003", "is_published", 0)
        set_field(connection, PLAN, BRIDGE, "is_published", 0)
    live.exporter("snapshot")
    before = traces_below(live.root, without=(".git",))
    planned = live.exporter("plan", "--json")
    assert live.exporter("publish", "--dry-run", "--json") == planned
    assert live.exporter("publish", "--dry-run").out == live.exporter("plan").out
    assert traces_below(live.root, without=(".git",)) == before
    old = live.published()
    release = live.exporter("publish", "--json").report["record"]
    new = live.published()
    steps = planned.report["steps"]
    put = {step["key"]: step for step in steps if step["step"] == "put"}
    deleted = {step["key"] for step in steps if step["step"] == "delete"}
    assert put.keys() == {key for key in new if old.get(key) != new[key]}
    assert deleted == old.keys() - new.keys() != set()
    assert {key: step["size"] for key, step in put.items()} == {key: len(new[key]) for key in put}
    assert {key: step["reason"] for key, step in put.items()} == {
        key: "changed" if key in old else "new" for key in put
    }
    assert (release["files_put"], release["files_deleted"]) == (len(put), len(deleted))
    assert planned.report["commit"] == release["commit"] == live.git("rev-parse", "HEAD")
    assert planned.report["plans"].keys() == release["plans"].keys()
    assert {name: plan["state"] for name, plan in release["plans"].items()} == {
        name: plan["state"] for name, plan in planned.report["plans"].items()
    }


def test_a_git_revert_brings_the_earlier_content_back(live: Place) -> None:
    good = live.published()
    with live.editing() as connection:
        set_field(connection, SUBJECT, "SUBJECT-MATH", "is_free_preview", 1)
        edit_lesson_title(connection, SHARED, "A title nobody wanted")
    live.exporter("snapshot")
    live.exporter("publish")
    bad = live.published()
    live.git("revert", "--no-edit", "HEAD")
    live.exporter("publish")
    now = live.published()
    assert bodies(bad) != bodies(good)
    assert bodies(now) == bodies(good)
    versions = [
        tuple(json.loads(files[key])["version"] for files in (good, bad, now))
        for key in good
        if good[key] != bad[key]
    ]
    assert versions
    assert all(first < second < third for first, second, third in versions)
    assert {key for key in now if now[key] == good[key]} == {
        key for key in good if good[key] == bad[key]
    }
    assert crawl(now) == now.keys()


def test_a_plan_with_an_error_stays_in_full_while_the_others_go_on(live: Place) -> None:
    before = live.published()
    with live.editing() as connection:
        edit_lesson_title(connection, SHARED, "A better title")
    live.exporter("snapshot")
    live.replace_in(
        f"content-snapshot/plans/{ARTS}.yaml", "action: Set Sold Separately", "action: Give Away"
    )
    live.replace_in(f"content-snapshot/plans/{ARTS}.yaml", "title: الصف", "title: صف")
    live.commit_all("A plan that cannot be right")
    checked = live.exporter("check", "--json", status=1).report
    assert checked["held_plans"] == [ARTS]
    assert [(found["code"], found["file"]) for found in checked["findings"]] == [
        ("E108", f"content-snapshot/plans/{ARTS}.yaml")
    ]
    done = live.exporter("publish", status=1)
    assert "Give Away" in done.out
    after = live.published()
    changed = {key for key in after if before.get(key) != after[key]}
    assert after.keys() == before.keys()
    assert {key.split("/")[1] for key in changed if key.startswith("plans/")} == {SCIENCE, BRIDGE}
    assert [key for key in changed if key.startswith("lessons/")] == [f"lessons/{SHARED}.json"]
    _assert_only_a_version_is_behind(after, ARTS, f"lessons/{SHARED}.json")
    assert schema_problems(after) == []
    status = live.exporter("status", "--json").report
    assert list(status["plans_waiting"]) == [ARTS]
    assert "E108" in status["plans_waiting"][ARTS]["error"]
    live.git("revert", "--no-edit", "HEAD")
    live.exporter("publish")
    assert crawl(live.published()) == live.published().keys()
    assert live.exporter("status", "--json").report["plans_waiting"] == {}


def _assert_only_a_version_is_behind(files: dict[str, bytes], plan: str, lesson: str) -> None:
    """A held plan's links lead somewhere; a shared lesson may have gone on (spec 5, step 5)."""
    others = {key: body for key, body in files.items() if not key.startswith(f"plans/{plan}/")}
    own = {key: body for key, body in files.items() if key.startswith(f"plans/{plan}/")}
    crawl(others)
    older = dict(files)
    current = json.loads(files[lesson])
    linked = re.search(rf"{lesson}\?v=(\d+)".encode(), b"".join(own.values()))
    assert linked is not None
    assert int(linked[1]) < current["version"]
    older[lesson] = json.dumps({**current, "version": int(linked[1])}).encode()
    crawl({key: body for key, body in older.items() if key in own or key.startswith("lessons/")})


def test_one_plan_alone_can_be_published(live: Place) -> None:
    before = live.published()
    with live.editing() as connection:
        edit_lesson_title(connection, SHARED, "A better title")
    live.exporter("snapshot")
    live.exporter("publish", "--plan", BRIDGE)
    after = live.published()
    changed = {key for key in after if before.get(key) != after[key]}
    assert changed == {
        f"lessons/{SHARED}.json",
        f"plans/{BRIDGE}/manifest.json",
        f"plans/{BRIDGE}/SUBJECT-MATH_h.json",
        f"plans/{BRIDGE}/TOPIC-MATH-1.json",
        f"plans/{BRIDGE}/search_index.json",
    }
    live.exporter("publish")
    assert crawl(live.published()) == live.published().keys() == before.keys()
    assert live.exporter("plan").out.startswith("nothing to do")


def test_a_build_gives_what_a_publish_puts(live: Place) -> None:
    for arguments in (("--ref", "HEAD"), ("--worktree",), ()):
        live.exporter("build", *arguments, "--out", "build")
        built = files_below(live.root / "build")
        del built[".exporter-build"]
        assert built == live.published(), arguments
    live.exporter("build", "--plan", BRIDGE, "--out", "build")
    part = files_below(live.root / "build")
    del part[".exporter-build"]
    assert crawl(part) == part.keys()
    assert {key for key in part if key.startswith("plans/")} == {
        key for key in live.published() if key.startswith(f"plans/{BRIDGE}/")
    }
    with live.editing() as connection:
        edit_lesson_title(connection, SHARED, "A better title")
    live.exporter("snapshot")
    live.exporter("publish")
    live.exporter("build", "--ref", "HEAD")
    built = files_below(live.root / "build")
    del built[".exporter-build"]
    assert bodies(built) == bodies(live.published())


def test_every_report_is_one_json_object_with_the_documented_keys(live: Place) -> None:
    with live.editing() as connection:
        edit_lesson_title(connection, SHARED, "A better title")
    documented = {
        ("snapshot",): {
            "commit",
            "documents",
            "files_written",
            "files_deleted",
            "plans",
            "changes",
        },
        ("check",): {"findings", "held_plans"},
        ("build",): {"out", "files", "bytes", "plans", "held_plans", "findings"},
        ("plan",): {"target", "commit", "live_release", "steps", "plans"},
        ("publish", "--dry-run"): {"target", "commit", "live_release", "steps", "plans"},
        ("publish",): {"release", "changed", "purge_error", "record"},
        ("releases",): {"releases"},
        ("status",): {
            *("target", "store", "live", "head_commit", "unpublished_commits"),
            *("plans_waiting", "purges_pending"),
        },
    }
    for command, keys in documented.items():
        report = live.exporter(*command, "--json").report
        assert keys <= report.keys(), command
    head = live.git("rev-parse", "HEAD")
    assert [each["commit"] for each in live.exporter("releases", "--json").report["releases"]] == [
        head,
        live.git("rev-parse", "HEAD~1"),
    ]


def test_every_command_has_a_help_text_and_a_version_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    overview = place.exporter("--help").out
    commands = re.findall(r"^  ([a-z][a-z-]*) {2,}\S", overview, re.MULTILINE)
    assert {"init", "demo", "snapshot", "check", "build", "plan", "publish", "status"} <= set(
        commands
    )
    for command in commands:
        shown = place.exporter(command, "--help").out
        assert shown.startswith(f"Usage: exporter {command}"), shown
    assert re.match(r"exporter \d+\.\d+\.\d+ \([0-9a-f]{12}\)", place.exporter("--version").out)


def test_the_command_line_imports_nothing_heavy_before_it_is_needed() -> None:
    program = (
        "import sys; before = set(sys.modules); import exporter.cli; "
        "print(' '.join({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )
    assert set(done.stdout.split()) & set(HEAVY) == set()
