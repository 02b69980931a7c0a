"""Each runbook of `docs/operations.md`, its very lines, from the broken state to the mended one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.core.model import LESSON, SUBJECT
from exporter.demo.site import create_site, delete_document, edit_lesson_title, set_field
from tests.cli.running import Said, run
from tests.e2e.command_line import Place, files_below, traces_below
from tests.e2e.markdown import Page
from tests.e2e.reader import bodies, crawl
from tests.forking import programs
from tests.publish.cloudflare_standin import TOKEN, ZONE, cloudflare_standin, failure
from tests.servers import S3Server

PAGE = Page(Path(__file__).parents[2] / "docs" / "operations.md")
CONFIG = """\
source:
  url: ${EXPORTER_DATABASE_URL:-sqlite:///site.db}
snapshot:
  author: Content Snapshot <snapshot@school.example>
targets:
  production:
    store: ./public
    state: ./.exporter/production
"""
SHARED, OTHER = "LESSON-MATH-001", "LESSON-MATH-002"
FILM = "https://media.example.org/films/limits.mp4"


class School(Place):
    """The content repository of a school, published, with a remote beside it."""

    @property
    def store(self) -> Path:
        return self.root / "public"

    @property
    def state(self) -> Path:
        return self.root / ".exporter" / "production"

    def quick(self, *arguments: str, status: int = 0) -> Said:
        """Run a command in this process, for what a test only has to bring about."""
        said = run(self.root, *arguments)
        assert said.status == status, said
        return said

    def live(self, back: int = 0) -> Any:
        """Return the record of the live release, or of one so many before it."""
        return self.quick("releases", "--json").report["releases"][back]

    def type(self, runbook: str, **words: str) -> list[str]:
        """Type a runbook's lines, words in capitals filled in; see what it says is to be seen."""
        typed, seen = RUNBOOKS[runbook]
        for name, value in words.items():
            assert re.search(rf"\b{name}\b", typed), name
            typed = re.sub(rf"\b{name}\b", value, typed)
        path = f"{programs()}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", typed],
            cwd=self.root,
            env={**os.environ, **self.environment, "PATH": path},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        lines = done.stdout.splitlines()
        rest = iter(lines)
        for wanted in seen:
            pattern = ".*".join(map(re.escape, wanted.split("…")))
            assert any(re.fullmatch(pattern, line) for line in rest), f"{wanted!r} in {lines}"
        return lines

    def is_mended(self) -> None:
        """Readers' links are whole, the CDN is as released, and the next run writes nothing."""
        files = files_below(self.store)
        assert crawl(files) == files.keys() != set()
        assert self.quick("verify").out.startswith("nothing is wrong")
        before = traces_below(self.root, without=(".git",))
        assert self.quick("publish").out.startswith("nothing to do")
        assert traces_below(self.root, without=(".git",)) == before
        assert self.git("status", "--porcelain") == ""

    def is_pushed(self) -> bool:
        return self.git("rev-parse", "HEAD") == self.git("ls-remote", "origin", "main").split()[0]


def _runbooks() -> dict[str, tuple[str, list[str]]]:
    """Return what each runbook says to type, and the lines that it says are seen."""
    blocks = list(PAGE.blocks())
    found = {}
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if name := block.marks.get("runbook"):
            seen = following.text.splitlines() if following and following.language == "text" else []
            found[name] = (block.text, seen)
    return found


RUNBOOKS = _runbooks()


@pytest.fixture
def school(kept: Path, tmp_path: Path) -> School:
    """Return a published school with its remote: two releases, all pushed."""
    stage = kept / "runbooks"
    if not stage.exists():  # made within a test, whose environment is its own
        _make_school(School(kept / "making" / "content"))
        (kept / "making").rename(stage)
    shutil.copytree(stage, tmp_path / "copy")
    return School(tmp_path / "copy" / "content")


def _make_school(school: School) -> None:
    school.root.mkdir(parents=True)
    origin = school.root.parent / "origin"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", origin], check=True)
    create_site(school.root / "site.db", 60)
    school.config.write_text(CONFIG, encoding="utf-8")
    (school.root / ".gitignore").write_text("/public*/\n/.exporter/\n*.db\n", encoding="utf-8")
    school.git("init", "-q", "-b", "main")
    school.git("remote", "add", "origin", "../origin")
    school.commit_all("A content repository")
    school.git("push", "-q", "-u", "origin", "main")
    school.quick("snapshot", "--push")
    school.quick("publish")
    _edit(school, SHARED, "A better title")
    school.quick("snapshot", "--push")
    school.quick("publish")


def _edit(school: Place, lesson: str, title: str) -> None:
    with school.editing() as connection:
        edit_lesson_title(connection, lesson, title)


def _delete_lessons(school: Place, count: int) -> list[str]:
    with school.editing() as connection:
        names = sorted(path.stem for path in school.content.glob("subjects/*/*/*/*/*.yaml"))
        chosen = [name for name in names if not name.startswith(("_", SHARED))][:count]
        for name in chosen:
            delete_document(connection, LESSON, name)
    return chosen


def _publish_a_mistake(school: School) -> None:
    with school.editing() as connection:
        set_field(connection, SUBJECT, "SUBJECT-MATH", "is_free_preview", 1)
        edit_lesson_title(connection, OTHER, "A title nobody wanted")
    school.quick("snapshot", "--push")
    school.quick("publish")


def test_every_runbook_is_run_by_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    run_here = set(re.findall(r'(?:type\(|RUNBOOKS\[)"([a-z-]+)"', source))
    assert run_here == RUNBOOKS.keys() != set()


def test_what_to_look_at_first_says_that_all_is_well(school: School) -> None:
    said = school.type("look")
    assert "  everything that is committed is published" in said


def test_a_bad_release_is_taken_back_for_good(school: School) -> None:
    good = files_below(school.store)
    _publish_a_mistake(school)
    assert bodies(files_below(school.store)) != bodies(good)
    listed = school.type("find-release")
    release = school.live(1)["id"]
    assert any(line.startswith(f"{release}  publish") for line in listed)
    school.type("bad-release", RELEASE=release)
    assert bodies(files_below(school.store)) == bodies(good)
    assert school.quick("snapshot").out.startswith("nothing changed")
    school.is_mended()
    assert school.is_pushed()


def test_a_killed_publish_is_taken_over_before_its_lease_has_run_out(school: School) -> None:
    _edit(school, OTHER, "Limits, again")
    school.quick("snapshot", "--push")
    now = datetime.now(UTC)
    since, until = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (now, now + timedelta(minutes=4)))
    lease = {"holder": "a run that was killed", "run": "1", "since": since, "until": until}
    (school.state / "lease.json").write_text(json.dumps(lease), "utf-8")
    school.quick("publish", status=3)
    school.type("killed")
    school.is_mended()


def test_an_outage_of_the_store_is_made_up_for(school: School) -> None:
    _edit(school, OTHER, "Limits, again")
    school.quick("snapshot", "--push")
    plans, away = school.store / "plans", school.store / "plans-away"
    plans.rename(away)
    plans.write_text("the disk is broken here", encoding="utf-8")
    school.quick("publish", status=4)
    assert "unfinished" in school.quick("status").out
    plans.unlink()
    away.rename(plans)
    school.type("outage")
    assert b"Limits, again" in (school.store / "lessons" / f"{OTHER}.json").read_bytes()
    school.is_mended()


def test_an_outage_of_the_purge_is_made_up_for(school: School) -> None:
    with cloudflare_standin() as edge:
        config = school.config.read_text(encoding="utf-8")
        purge = f"{{provider: cloudflare, zone_id: {ZONE}, api_token: '${{CF_TOKEN}}', "
        purge += f"endpoint: '{edge.endpoint}'}}"
        base = "base_url: https://cdn.invalid"
        school.config.write_text(f"{config}    purge: {purge}\n    {base}\n", encoding="utf-8")
        school.commit_all("Purge the CDN's cache")
        school = School(school.root, (TOKEN,), {"CF_TOKEN": TOKEN})
        _edit(school, OTHER, "Limits, again")
        school.exporter("snapshot", "--push")
        away = replace(failure(503, 1, "away"), headers={"Retry-After": "0"})
        edge.next_answers.extend([away] * 100)
        school.exporter("publish", status=4)
        owed = school.exporter("status", "--json").report["purges_pending"]
        assert owed > 0
        edge.next_answers.clear()
        school.type("outage")
        told = json.dumps(edge.accepted)
        assert f"https://cdn.invalid/lessons/{OTHER}.json" in told
        assert school.exporter("status", "--json").report["purges_pending"] == 0


def test_a_restored_database_takes_nothing_away(school: School) -> None:
    good = files_below(school.store)
    gone = _delete_lessons(school, 16)
    _edit(school, SHARED, "Last week's title")
    assert "the limit is 20%" in school.quick("snapshot", status=3).err
    diff = "\n".join(school.type("restored-look"))
    assert "Last week's title" in diff
    assert school.git("rev-parse", "HEAD") == school.git("rev-parse", "origin/main")
    school.type("restored-keep")
    assert files_below(school.store) == good
    school.is_mended()
    assert school.is_pushed()
    held = {hold["name"] for hold in school.quick("holds", "--json").report["holds"]}
    assert held == {SHARED, *gone}
    _edit(school, SHARED, "This week's title, typed again")
    school.quick("snapshot", "--push")
    school.quick("publish")
    assert b"typed again" in (school.store / "lessons" / f"{SHARED}.json").read_bytes()
    held = {hold["name"] for hold in school.quick("holds", "--json").report["holds"]}
    assert held == set(gone)


@pytest.mark.parametrize("published", [False, True])
def test_a_wrong_mass_deletion_is_taken_back(school: School, published: bool) -> None:
    good, commit = files_below(school.store), school.git("rev-parse", "HEAD")
    gone = _delete_lessons(school, 8)
    school.quick("snapshot", "--push")
    if published:
        school.quick("publish")
        assert not any(f"lessons/{name}.json" in files_below(school.store) for name in gone)
    school.type("mass-deletion", COMMIT=commit)
    assert bodies(files_below(school.store)) == bodies(good)
    school.is_mended()
    assert school.is_pushed()


def test_a_mass_deletion_that_was_refused_leaves_nothing_to_do(school: School) -> None:
    shutil.copy(school.root / "site.db", school.root / "kept.db")
    before = school.everything()
    _delete_lessons(school, 16)
    school.quick("snapshot", status=3)
    shutil.move(school.root / "kept.db", school.root / "site.db")
    assert school.quick("snapshot").out.startswith("nothing changed")
    after = school.everything()
    assert [name for name in before if name != "files" and before[name] != after[name]] == []
    school.is_mended()


@pytest.mark.parametrize("addressing", ["stable", "hashed"])
def test_a_lost_state_store_comes_back_from_a_folder(school: School, addressing: str) -> None:
    if addressing == "hashed":
        with school.config.open("a", encoding="utf-8") as config:
            config.write("publish: {addressing: hashed}\n")
        school.commit_all("Keys that never change")
        school.git("push", "-q")
        shutil.rmtree(school.store)
        shutil.rmtree(school.state)
        school.quick("publish")
    before, index = traces_below(school.store), _indexes(school)
    shutil.rmtree(school.state)
    school.type("lost-state")
    assert traces_below(school.store) == before
    assert _indexes(school) == index
    if addressing == "stable":
        school.is_mended()
    refused = school.quick("adopt", "--target", "production", status=3)
    assert "there is nothing to adopt" in refused.err


def _indexes(school: School) -> dict[str, str]:
    return {name: plan["index"] for name, plan in school.live()["plans"].items()}


@pytest.fixture
def bucket(school: School, s3_server: S3Server, s3_bucket: str) -> School:
    """Return the school with both stores in a bucket, published there."""
    school.replace_in("exporter.yaml", "./public", f"s3://{s3_bucket}/cdn")
    school.replace_in("exporter.yaml", "./.exporter/production", f"s3://{s3_bucket}/state")
    with school.config.open("a", encoding="utf-8") as config:
        config.write(f"    s3: {{endpoint_url: {s3_server.endpoint_url}}}\n")
    school.commit_all("A bucket")
    school.git("push", "-q")
    keys = {
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
    }
    bucket = School(school.root, (s3_server.secret_key,), keys)
    bucket.exporter("publish")
    return bucket


def _objects(server: S3Server, bucket: str, prefix: str) -> dict[str, tuple[bytes, Any]]:
    """Return the objects below a prefix, with when they were written."""
    found = {}
    with closing(server.client()) as client:
        for item in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            found[item["Key"].removeprefix(prefix)] = (body, item["LastModified"])
    return found


def test_a_lost_state_store_comes_back_from_a_bucket(
    bucket: School, s3_server: S3Server, s3_bucket: str
) -> None:
    before = _objects(s3_server, s3_bucket, "cdn/")
    with closing(s3_server.client()) as client:
        for key in _objects(s3_server, s3_bucket, "state/"):
            client.delete_object(Bucket=s3_bucket, Key=f"state/{key}")
    bucket.type("lost-state")
    assert _objects(s3_server, s3_bucket, "cdn/") == before
    files = {key: body for key, (body, _) in before.items()}
    assert crawl(files) == files.keys() != set()


def test_rotated_keys_are_tried_and_taken(
    bucket: School, s3_server: S3Server, s3_bucket: str
) -> None:
    _edit(bucket, OTHER, "Limits, again")
    bucket.exporter("snapshot", "--push")
    old = {"AWS_ACCESS_KEY_ID": "an-old-key", "AWS_SECRET_ACCESS_KEY": "an-old-secret"}
    refused = bucket.exporter("publish", status=4, env=old)
    assert "an-old-secret" not in refused.said
    bucket.type("rotated-keys")
    stored = _objects(s3_server, s3_bucket, "cdn/")
    assert b"Limits, again" in stored[f"lessons/{OTHER}.json"][0]
    assert bucket.exporter("publish").out.startswith("nothing to do")


def test_media_urls_are_signed_with_new_keys_before_the_old_ones_go(school: School) -> None:
    lesson = next(school.content.glob(f"subjects/**/{SHARED}.yaml"))
    with school.config.open("a", encoding="utf-8") as config:
        config.write("media:\n  signed:\n")
        config.write("    - {prefix: 'https://media.example.org/films/', bucket: films}\n")
    stage = f"\nstages:\n  - title: Film\n    type: Video\n    config:\n      url: {FILM}\n"
    stage += "    weight: 1.0\n    target_time: 60\n    is_skippable: false\n"
    school.replace_in(lesson, "\nstages:\n", stage)
    school.commit_all("A film")
    old = _media_keys("old")
    school.exporter("publish", env=old)
    assert _signed_by(school) == "old-key"
    school.exporter("refresh", env=old)
    mended = School(school.root, environment=_media_keys("new"))
    assert mended.exporter("refresh").out.startswith("nothing to do")
    before = files_below(school.store)
    mended.type("rotated-media-keys")
    assert _signed_by(school) == "new-key"
    after = files_below(school.store)
    assert [key for key in after if after[key] != before[key]] == [f"lessons/{SHARED}.json"]
    assert mended.exporter("verify").out.startswith("nothing is wrong")


def _media_keys(name: str) -> Mapping[str, str]:
    return {
        "MEDIA_AWS_ACCESS_KEY_ID": f"{name}-key",
        "MEDIA_AWS_SECRET_ACCESS_KEY": f"{name}-secret",
    }


def _signed_by(school: School) -> str:
    lesson = json.loads((school.store / "lessons" / f"{SHARED}.json").read_bytes())
    url = str(lesson["stages"][0]["config"]["url"])
    return parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].partition("/")[0]


def test_a_school_moves_to_another_store(school: School) -> None:
    with school.config.open("a", encoding="utf-8") as config:
        config.write(RUNBOOKS["moving-config"][0])
    school.commit_all("A second target")
    school.type("moving-fill")
    moved = files_below(school.root / "public-new")
    assert bodies(moved) == bodies(files_below(school.store))
    school.type("moving-end")
    assert files_below(school.store) == {}
    assert files_below(school.root / "public-new") == moved
    assert crawl(moved) == moved.keys()
    text = school.config.read_text(encoding="utf-8")
    old = text[text.index("  production:") : text.index("  moved:")]
    school.config.write_text(text.replace(old, "").replace("moved:", "production:"), "utf-8")
    school.commit_all("The second target is the only one")
    assert school.quick("publish").out.startswith("20")  # a release of this commit, of no files
    assert files_below(school.root / "public-new") == moved
    assert school.quick("publish", "--target", "production").out.startswith("nothing to do")


def test_the_same_store_at_another_address_is_adopted(school: School) -> None:
    school.store.rename(school.root / "public-elsewhere")
    school.replace_in("exporter.yaml", "./public", "./public-elsewhere")
    school.commit_all("The service has another address")
    refused = school.exporter(
        "destroy", "--target", "production", "--confirm", "production", status=3
    )
    assert "set `store` back" in refused.err
    school.quick("publish", status=3)
    before = files_below(school.root / "public-elsewhere")
    shutil.rmtree(school.state)
    school.quick("adopt")
    school.quick("publish")
    assert files_below(school.root / "public-elsewhere") == before
    assert school.quick("verify").out.startswith("nothing is wrong")


def _force_push(school: School, content: str) -> str:
    """Rewrite the remote's branch without the live commit, and pull that; return the live one."""
    live = school.git("rev-parse", "HEAD")
    school.git("reset", "-q", "--hard", "HEAD~1")
    _edit(school, OTHER, content)
    school.quick("snapshot")
    school.git("push", "-q", "--force", "origin", "main")
    school.git("remote", "update", "-p")
    refused = school.quick("publish", status=3)
    assert "is not among its ancestors" in refused.err
    return live


def test_a_force_pushed_branch_is_put_back(school: School) -> None:
    before = files_below(school.store)
    live = _force_push(school, "From another history")
    school.type("force-push-undo", COMMIT=live)
    assert files_below(school.store) == before
    assert school.git("ls-remote", "origin", "main").split()[0] == live
    school.is_mended()


def test_a_history_that_was_rewritten_on_purpose_is_published(school: School) -> None:
    live = _force_push(school, "From another history")
    stayed = files_below(school.store)
    school.type("force-push-accept")
    assert school.live()["commit"] == school.git("rev-parse", "HEAD") != live
    files = files_below(school.store)
    assert b"From another history" in files[f"lessons/{OTHER}.json"]
    assert sum(files[key] == stayed[key] for key in files) > len(files) / 2
    school.is_mended()


def test_a_renamed_site_is_the_same_school(school: School) -> None:
    (school.root / "site.db").rename(school.root / "academy.db")
    before = school.git("rev-parse", "HEAD")
    school.quick("snapshot", status=4)
    renamed = School(school.root, environment={"EXPORTER_DATABASE_URL": "sqlite:///academy.db"})
    renamed.type("renamed-site")
    assert school.git("rev-parse", "HEAD") == before
    school.is_mended()


def test_another_address_of_the_sites_files_is_published_once(school: School) -> None:
    before = files_below(school.store)
    with school.config.open("a", encoding="utf-8") as config:
        config.write("build: {files_base_url: 'https://academy.example.org'}\n")
    school.commit_all("The site has another address")
    school.type("renamed-files")
    files = files_below(school.store)
    changed = {key for key in files if files[key] != before[key]}
    assert changed
    assert any(b"https://academy.example.org/files/" in files[key] for key in changed)
    assert files.keys() - changed != set()
    school.is_mended()
