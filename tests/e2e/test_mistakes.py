"""What people get wrong: each mistake has its exit status, says what to do, and changes nothing.

A message names what failed and where, and a hint (`try: …`) says what to do. That no traceback and
no secret is shown, `Place.exporter` sees to for every command of every test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from exporter.demo.site import set_field
from tests.e2e.command_line import Place, traces_below
from tests.e2e.mistakes import (
    ARTS,
    DATABASE,
    HINTED,
    LESSON,
    MISTAKES,
    PASSWORD,
    TABLE,
    config,
    empty_repository,
    without_author,
)
from tests.e2e.reader import crawl
from tests.servers import MariaDBDatabase, S3Server


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained_and_changes_nothing(live: Place, name: str) -> None:
    mistake = MISTAKES[name]
    if name in DATABASE:
        config("sqlite:///site.db", "${EXPORTER_DATABASE_URL}")(live)
    mistake.make(live)
    place = Place(live.root, (PASSWORD,))
    before = place.everything()
    done = place.exporter(*mistake.command, status=mistake.status, env=dict(mistake.environment))
    for words in mistake.says:
        assert words in done.err
    assert "  try: " in done.err or name not in HINTED
    assert done.out == ""
    assert place.everything() == before


def test_a_folder_outside_git_is_told_to_become_a_repository(live: Place) -> None:
    before = traces_below(live.root)
    (live.root / ".git").rename(live.root.parent / "moved-away.git")
    outside = {"GIT_CEILING_DIRECTORIES": str(live.root.parent)}
    for command in ("snapshot", "publish"):
        done = live.exporter(command, status=None, env=outside)
        assert done.status in (2, 4)
        assert "is not inside a git repository" in done.err
        assert "git init" in done.err
    (live.root.parent / "moved-away.git").rename(live.root / ".git")
    assert traces_below(live.root) == before


def test_a_repository_without_a_commit_has_nothing_to_publish(live: Place) -> None:
    empty_repository(live)
    done = live.exporter("publish", status=2)
    assert "there is no commit 'HEAD'" in done.err


def test_a_store_that_cannot_be_written_is_named_and_the_next_run_ends_the_publish(
    school: Place,
) -> None:
    (school.root / "public").write_text("not a folder", "utf-8")
    failed = school.exporter("publish", status=4)
    for words in (str(school.store), "a file stands where a folder is needed", "  try: "):
        assert words in failed.err
    assert not (school.state / "head.json").exists()
    (school.root / "public").unlink()
    school.exporter("publish")
    assert crawl(school.published()) == school.published().keys() != set()


def test_what_a_refused_command_left_alone_works_right_after(live: Place) -> None:
    without_author(live)
    live.exporter("snapshot", status=2, env={"GIT_CONFIG_GLOBAL": "/dev/null"})
    live.exporter("snapshot")
    assert live.git("log", "-1", "--format=%an") == "Test Author"
    live.exporter("publish", "--ref", "HEAD")
    live.exporter("publish", "--ref", "HEAD~1", status=3)
    live.exporter("publish", "--ref", "HEAD~1", "--allow-older")
    assert "A title that waits" not in (live.store / "lessons" / f"{LESSON}.json").read_text(
        "utf-8"
    )


@pytest.fixture
def mariadb(live: Place, mariadb_database: MariaDBDatabase) -> Place:
    """Return the live school with a MariaDB database without tables as its source."""
    config("sqlite:///site.db", "${EXPORTER_DATABASE_URL}")(live)
    url = {"EXPORTER_DATABASE_URL": mariadb_database.tcp_url}
    return Place(live.root, (PASSWORD, mariadb_database.server.password), url)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("correct-horse", PASSWORD),
            ("the user name or password is wrong", "reader:***@127.0.0.1"),
        ),
        (("reader:", "nobody:"), ("the user name or password is wrong", "nobody:***@127.0.0.1")),
        (("/site_", "/no_site_"), ("there is no such database", "the last part of source.url")),
        (("", ""), ("the database lacks table", f"`{TABLE}`", "is it migrated")),
    ],
    ids=["a wrong password", "a wrong user", "a wrong database", "another application's database"],
)
def test_a_mistake_about_mariadb_is_explained_and_changes_nothing(
    mariadb: Place, change: tuple[str, str], says: tuple[str, ...]
) -> None:
    url = mariadb.environment["EXPORTER_DATABASE_URL"].replace(*change)
    before = mariadb.everything()
    done = mariadb.exporter("snapshot", status=4, env={"EXPORTER_DATABASE_URL": url})
    for words in says:
        assert words in done.err
    assert "  try: " in done.err
    assert mariadb.everything() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bucket": "a-bucket-that-nobody-made"}, ("a-bucket-that-nobody-made",)),
        ({"AWS_SECRET_ACCESS_KEY": PASSWORD}, ("AWS_SECRET_ACCESS_KEY",)),
        ({"AWS_ACCESS_KEY_ID": "AKIAI44QH8DHBEXAMPLE"}, ("AWS_ACCESS_KEY_ID",)),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, ("AWS_ACCESS_KEY_ID",)),
        ({"endpoint": "http://127.0.0.1:9"}, ("127.0.0.1:9", "endpoint_url")),
    ],
    ids=["no such bucket", "a wrong secret", "a wrong key", "no keys", "no such server"],
)
def test_a_mistake_about_s3_is_explained_and_changes_nothing(
    live: Place, s3_server: S3Server, s3_bucket: str, change: dict[str, str], says: tuple[str, ...]
) -> None:
    bucket = change.get("bucket", s3_bucket)
    targets = {
        "bucket": {
            "store": f"s3://{bucket}/cdn",
            "state": f"s3://{bucket}/state",
            "s3": {"endpoint_url": change.get("endpoint", s3_server.endpoint_url)},
        }
    }
    kept, _, _ = live.config.read_text("utf-8").partition("targets:")
    settings = f"publish: {{retries: 0}}\ntargets: {json.dumps(targets)}\n"
    live.config.write_text(kept + settings, "utf-8")
    keys = {
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
    }
    place = Place(live.root, (PASSWORD, s3_server.secret_key), keys)
    before = place.everything()
    environment = {name: value for name, value in change.items() if name.startswith("AWS_")}
    done = place.exporter("publish", status=4, env=environment)
    for words in (f"s3://{bucket}", "  try: ", *says):
        assert words in done.err
    assert place.everything() == before
    with closing(s3_server.client()) as client:
        assert client.list_objects_v2(Bucket=s3_bucket)["KeyCount"] == 0


def _break_yaml(place: Place) -> str:
    """Break a lesson's file as a bad merge would; return the file."""
    (file,) = place.content.rglob(f"{LESSON}.yaml")
    name = file.relative_to(place.root).as_posix()
    place.replace_in(name, "title:", "<<<<<<< HEAD\ntitle:")
    return name


def _break_field(place: Place) -> str:
    """Give a lesson a field that no lesson has."""
    (file,) = place.content.rglob(f"{LESSON}.yaml")
    name = file.relative_to(place.root).as_posix()
    place.replace_in(name, "is_published:", "is_puplished:")
    return name


def _break_type(place: Place) -> str:
    (file,) = place.content.rglob(f"{LESSON}.yaml")
    name = file.relative_to(place.root).as_posix()
    place.replace_in(name, "is_published: true", "is_published: maybe")
    return name


@pytest.mark.parametrize(
    ("break_it", "code", "held"),
    [
        (_break_yaml, "E101", 3),
        (_break_field, "E103", 3),
        (_break_type, "E103", 3),
    ],
)
def test_content_that_cannot_be_right_is_located_and_not_published(
    live: Place, break_it: Callable[[Place], str], code: str, held: int
) -> None:
    file = break_it(live)
    live.commit_all("Edited by hand")
    head = live.git("rev-parse", "HEAD")
    checked = live.exporter("check", "--json", status=1).report
    found = [each for each in checked["findings"] if each["severity"] == "error"]
    assert {(each["code"], each["file"]) for each in found} == {(code, file)}
    assert all(each["line"] >= 1 and each["message"] and each["hint"] for each in found)
    assert len(checked["held_plans"]) == held
    told = live.exporter("check", status=1).out
    assert file in told
    assert code in told
    before = traces_below(live.store)
    published = live.exporter("publish", status=1)
    assert code in published.said
    assert traces_below(live.store) == before
    assert live.git("rev-parse", "HEAD") == head
    built = live.exporter("build", "--json", status=1).report
    assert sorted(built["held_plans"]) == sorted(checked["held_plans"])
    assert not (set(built["plans"]) & set(checked["held_plans"]))


def test_a_file_that_its_schema_refuses_is_not_published(live: Place) -> None:
    live.config.write_text(live.config.read_text("utf-8") + "checks: {E109: off}\n", "utf-8")
    live.exporter("publish")
    before = traces_below(live.store)
    with live.editing() as connection:
        set_field(connection, "Memora Lesson", LESSON, "bit_index", -7)
    live.exporter("snapshot")
    checked = live.exporter("check", "--json", status=1).report
    errors = [found for found in checked["findings"] if found["severity"] == "error"]
    assert {found["code"] for found in errors} == {"E112"}
    assert all("bit_index: -7 is less than the minimum" in found["message"] for found in errors)
    assert len(checked["held_plans"]) == 3
    assert "E112" in live.exporter("publish", status=1).said
    assert traces_below(live.store) == before


def test_a_plan_that_cannot_be_read_stays_as_it_is(live: Place) -> None:
    before = live.published()
    live.replace_in(f"content-snapshot/plans/{ARTS}.yaml", "subjects:", "subjects: [")
    live.commit_all("Edited by hand")
    told = live.exporter("check", status=1).out
    assert f"content-snapshot/plans/{ARTS}.yaml" in told
    assert "E101" in told
    published = live.exporter("publish", status=1)
    assert f"{ARTS}: held back" in published.out
    assert live.published() == before


def test_a_first_publish_of_broken_content_publishes_no_half(school: Place) -> None:
    _break_yaml(school)
    school.commit_all("Edited by hand")
    done = school.exporter("publish", status=None)
    assert done.status in (1, 3)
    assert "E101" in done.said
    assert [key for key in _keys(school.store) if not key.startswith(".exporter/")] == []


def _keys(folder: Path) -> list[str]:
    return sorted(traces_below(folder)) if folder.exists() else []
