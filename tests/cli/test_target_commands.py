"""What stands around publishing, by the real command line: verify, status, doctor and the rest."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from exporter.demo.site import create_site, edit_lesson_title, edit_site
from exporter.stores.base import Attributes
from exporter.stores.folder import FolderStore
from tests.e2e.command_line import AUTHOR, Place
from tests.publish.cdn_standin import cdn_standin
from tests.publish.cloudflare_standin import cloudflare_standin
from tests.servers import S3Server

PRIVATE = "https://private.example.org/"
SECRET = "a-secret-that-must-never-show"
CONFIG = f"""\
source: {{url: "sqlite:///site.db"}}
snapshot: {{author: "{AUTHOR}"}}
targets:
  local:
    store: ./public/memora_content
    state: ./.exporter/local
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small demo school, snapshot taken."""
    root = tmp_path_factory.mktemp("made") / "content"
    root.mkdir()
    place = Place(root)
    place.git("init", "--quiet", "--initial-branch=main")
    place.git("config", "user.name", "Test Author")
    place.git("config", "user.email", "author@example.org")
    place.config.write_text(CONFIG, encoding="utf-8")
    (root / ".gitignore").write_text("/public/\n/.exporter/\n*.db\n", encoding="utf-8")
    place.commit_all("A content repository")
    create_site(root / "site.db", 30)
    place.exporter("snapshot")
    return root


@pytest.fixture
def school(made: Path, tmp_path: Path) -> Place:
    shutil.copytree(made, tmp_path / "content")
    return Place(tmp_path / "content", secrets=(SECRET,))


@pytest.fixture
def live(school: Place) -> Place:
    school.exporter("publish")
    return school


def a_lesson(place: Place) -> str:
    return min(key for key in place.published() if key.startswith("lessons/"))


def edit(place: Place, title: str = "A better title") -> None:
    lesson = a_lesson(place).removeprefix("lessons/").removesuffix(".json")
    with edit_site(place.root / "site.db") as connection:
        edit_lesson_title(connection, lesson, title)
    place.exporter("snapshot")


class TestVerify:
    def test_what_was_published_is_clean(self, live: Place) -> None:
        report = live.exporter("verify", "--json").report
        files = len(live.published())
        assert (report["looked_at"], report["live_files"], report["drift"]) == (files, files, [])
        assert live.exporter("verify", "--sample", "3", "--json").report["looked_at"] == 3

    def test_damage_is_drift_and_a_repair_mends_it_as_a_release(self, live: Place) -> None:
        before = live.published()
        lesson = a_lesson(live)
        (live.store / lesson).unlink()
        manifest = next(key for key in before if key.endswith("/manifest.json"))
        (live.store / manifest).write_text("{}", encoding="utf-8")
        (live.store / "plans" / "extra.json").write_text("{}", encoding="utf-8")
        report = live.exporter("verify", "--json", status=1).report
        assert {one["key"]: one["damage"] for one in report["drift"]} == {
            lesson: "missing",
            manifest: "different",
            "plans/extra.json": "extra",
        }
        repaired = live.exporter("verify", "--repair", "--json").report
        assert (repaired["drift"], repaired["left"]) == (report["drift"], [])
        assert live.published() == before
        shown = live.exporter("show", repaired["repaired_by"], "--json").report
        assert (shown["kind"], shown["files_put"], shown["files_deleted"]) == ("repair", 2, 1)
        assert live.exporter("verify").out.startswith("nothing is wrong")
        assert live.exporter("publish").out.startswith("nothing to do")

    def test_through_the_cdn_a_stale_edge_is_found(self, live: Place) -> None:
        with cdn_standin(FolderStore(live.store)) as cdn:
            live.replace_in(
                "exporter.yaml", "    store:", f"    base_url: {cdn.base_url}\n    store:"
            )
            assert live.exporter("verify", "--via-cdn", "--json").report["drift"] == []
            cdn.frozen = True
            edit(live)
            done = live.exporter("publish", "--json").report
            assert done["proof"]["behind"] != []
            report = live.exporter("verify", "--via-cdn", "--json", status=1).report
        assert {one["damage"] for one in report["drift"]} == {"stale"}
        assert all(one["key"].endswith("/manifest.json") for one in report["drift"])

    def test_via_cdn_needs_a_base_url(self, live: Place) -> None:
        assert "base_url" in live.exporter("verify", "--via-cdn", status=2).err


def test_a_publish_proves_that_readers_get_the_new_files(live: Place) -> None:
    with cdn_standin(FolderStore(live.store)) as cdn, cloudflare_standin() as cloudflare:
        purge = (
            f"    base_url: {cdn.base_url}\n    purge: {{provider: cloudflare, "
            f"zone_id: {cloudflare.zone}, api_token: '${{CF_TOKEN}}', "
            f"endpoint: '{cloudflare.endpoint}'}}\n"
        )
        live.replace_in("exporter.yaml", "    store:", f"{purge}    store:")
        edit(live)
        token = {"CF_TOKEN": cloudflare.token}
        done = Place(live.root, (cloudflare.token,), token).exporter("publish")
    assert "converged in " in done.out
    assert cloudflare.accepted


class TestShowAndStatus:
    def test_show_tells_a_release_by_a_part_of_its_id(self, live: Place) -> None:
        release = live.exporter("status", "--json").report["live"]["id"]
        report = live.exporter("show", release[:-2], "--json").report
        assert report["id"] == release
        assert sorted(report["files"]["new"]) == sorted(live.published())
        assert report["commit_subject"].startswith("content: ")
        assert live.exporter("show").out.startswith(release)
        for name in ("nope", "../head"):
            assert f"there is no release {name!r}" in live.exporter("show", name, status=2).err

    def test_status_before_anything_was_published(self, school: Place) -> None:
        report = school.exporter("status", "--json").report
        assert report["live"] is None
        assert len(report["unpublished_commits"]) == 1
        assert len(report["unpublished_plans"]) == 3
        assert "nothing was published yet" in school.exporter("status").out

    def test_status_tells_what_is_committed_and_not_published(self, live: Place) -> None:
        settled = live.exporter("status", "--json").report
        assert settled["unpublished_commits"] == settled["unpublished_plans"] == []
        assert settled["freshness"]["behind_s"] == 0
        assert (settled["lease"], settled["unfinished"], settled["holds"]) == (None, False, [])
        edit(live)
        report = live.exporter("status", "--json").report
        assert len(report["unpublished_commits"]) == 1
        assert report["unpublished_plans"] != []
        assert report["freshness"]["oldest_unpublished_at"] is not None
        assert "committed but not published: 1" in live.exporter("status").out

    def test_status_tells_who_publishes_and_what_is_owed(self, live: Place) -> None:
        state = FolderStore(live.state)
        lease = {
            "holder": "github: editor push 7",
            "run": "r1",
            "since": "2026-11-21T08:00:00Z",
            "until": "2099-11-21T08:05:00Z",
        }
        state.put("lease.json", json.dumps(lease).encode(), Attributes())
        journal = json.loads((live.state / "journal.json").read_bytes())
        state.put("journal.json", json.dumps({**journal, "owed": ["r0"]}).encode(), Attributes())
        owed = {"release": "r0", "requests": [{"files": ["https://x"]}, {"files": ["https://y"]}]}
        state.put("purges/r0.json", json.dumps(owed).encode(), Attributes())
        report = live.exporter("status", "--json").report
        assert (report["lease"], report["purges_pending"], report["unfinished"]) == (lease, 2, True)
        assert "publishing now: github: editor push 7" in live.exporter("status").out

    def test_a_configuration_that_is_not_committed_is_used_and_that_is_said(
        self, live: Place
    ) -> None:
        told = "exporter.yaml is used as it stands here, and is not committed like that"
        assert told not in live.exporter("plan").err
        live.replace_in("exporter.yaml", "targets:", "publish: {keep: 9d}\ntargets:")
        for command in ("plan", "publish"):
            assert told in live.exporter(command).err
            assert told not in live.exporter("--quiet", command).err

    def test_status_tells_what_is_held(self, live: Place) -> None:
        edit(live)
        live.exporter("publish")
        live.git("revert", "--no-edit", "HEAD")
        (held,) = live.exporter("status", "--json").report["holds"]
        assert (held["doctype"], held["author"]) == ("Memora Lesson", "Test Author")


class TestSignedMedia:
    @pytest.fixture
    def bucket(self, s3_server: S3Server, s3_bucket: str) -> str:
        with closing(s3_server.client()) as client:
            client.put_object(Bucket=s3_bucket, Key="intro.mp4", Body=b"moving pictures")
        return s3_bucket

    @pytest.fixture
    def signed(self, school: Place, s3_server: S3Server, bucket: str) -> Place:
        """A school in which one lesson has a private film."""
        (school.config).write_text(
            CONFIG
            + f"    s3: {{endpoint_url: {s3_server.endpoint_url}, region: {s3_server.region}}}\n"
            + f'media: {{signed: [{{prefix: "{PRIVATE}", bucket: {bucket}}}]}}\n',
            encoding="utf-8",
        )
        file = next((school.content / "subjects").rglob("LESSON-*.yaml"))
        text = file.read_text(encoding="utf-8")
        stage = (
            "  - title: Film\n    type: Video\n    config:\n"
            f"      url: {PRIVATE}intro.mp4\n"
            "    weight: 1.0\n    target_time: 60\n    is_skippable: false\n"
        )
        assert "\nstages:\n" in text
        file.write_text(text.replace("\nstages:\n", f"\nstages:\n{stage}"), encoding="utf-8")
        school.commit_all("A private film")
        environment = {
            "MEDIA_AWS_ACCESS_KEY_ID": s3_server.access_key,
            "MEDIA_AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        }
        return Place(school.root, secrets=(s3_server.secret_key,), environment=environment)

    def film(self, place: Place) -> str:
        (body,) = [body for body in place.published().values() if b"signed_url_expiry" in body]
        url: str = json.loads(body)["stages"][0]["config"]["url"]
        return url

    def test_a_film_opens_is_refreshed_and_verified(self, signed: Place) -> None:
        signed.exporter("publish")
        url = self.film(signed)
        assert httpx.get(url).content == b"moving pictures"
        urls = signed.exporter("status", "--json").report["signed_urls"]
        assert (urls["lessons"], urls["due"], len(urls["next"])) == (1, 0, 1)
        bands = {"expired": 0, "one_hour": 0, "six_hours": 1, "one_day": 0, "later": 0}
        assert urls["expiring"] == bands
        assert signed.exporter("verify", "--json").report["drift"] == []
        assert "nothing to do" in signed.exporter("refresh").out
        signed.replace_in("exporter.yaml", "media: {", "media: {refresh_before: 230m, ")
        noted = signed.state / "signed.json"
        record = json.loads(noted.read_bytes())
        (note,) = record["lessons"].values()
        note["expires"] -= 3600
        noted.write_text(json.dumps(record), encoding="utf-8")
        done = signed.exporter("refresh", "--json").report
        assert done["files_put"] == 1
        assert signed.exporter("show", done["release"], "--json").report["kind"] == "refresh"
        assert httpx.get(self.film(signed)).content == b"moving pictures"
        assert signed.exporter("verify", "--json").report["drift"] == []
        assert signed.exporter("publish").out.startswith("nothing to do")

    def test_no_signed_url_and_no_key_is_anywhere_but_on_the_cdn(self, signed: Place) -> None:
        for command in (
            ["publish", "--json"],
            ["refresh"],
            ["verify", "--json"],
            ["status", "--json"],
            ["show", "--json"],
            ["releases"],
            ["doctor"],
        ):
            assert "X-Amz" not in signed.exporter("--verbose", *command).said, command
        access = signed.environment["MEDIA_AWS_ACCESS_KEY_ID"]
        for folder in (signed.state, signed.content, signed.root / ".git"):
            for file in [path for path in folder.rglob("*") if path.is_file()]:
                body = file.read_bytes()
                assert b"X-Amz" not in body, file
                assert access.encode() not in body, file

    def test_without_keys_nothing_is_published(self, signed: Place) -> None:
        bare = Place(signed.root)
        assert "MEDIA_AWS_ACCESS_KEY_ID" in bare.exporter("publish", status=2).err
        assert not any(key.endswith("manifest.json") for key in bare.published())


class TestDoctor:
    def test_a_working_place_is_well(self, live: Place) -> None:
        report = live.exporter("doctor", "--json").report
        assert (report["problems"], report["warnings"]) == (0, 0)
        assert {check["area"] for check in report["checks"]} == {"database", "git", "target local"}
        assert live.exporter("verify").out.startswith("nothing is wrong")

    def test_every_problem_is_told_and_none_hides_another(self, school: Place) -> None:
        school.replace_in("exporter.yaml", "site.db", "gone.db")
        school.replace_in("exporter.yaml", "store: ./public", "store: /proc/nowhere")
        report = school.exporter("doctor", "--json", status=4).report
        bad = {(c["area"], c["name"]) for c in report["checks"] if c["health"] == "problem"}
        assert bad == {("database", "connection"), ("target local", "CDN store")}
        assert "there is no SQLite file" in school.exporter("doctor", status=4).out

    def test_a_file_that_is_no_database_is_one_problem(self, school: Place) -> None:
        (school.root / "site.db").write_text("no database " * 100, encoding="utf-8")
        said = school.exporter("doctor", status=4)
        lines = said.out.splitlines()
        (told,) = [line for line in lines if "database: " in line]
        assert told.startswith("✗ database: connection: ")
        assert "cannot be read as a SQLite database" in told
        tried = sum(line[0] in "✓!✗" for line in lines)
        not_tried = sum(line.startswith("– ") for line in lines)
        assert not_tried
        ends = f"1 problem, 0 warnings, {tried} things tried, {not_tried} not tried"
        assert lines[-1] == ends

    def test_commits_by_hand_need_an_identity_of_gits_own(self, school: Place) -> None:
        school.git("config", "--remove-section", "user")
        nobody = Place(school.root, environment={"GIT_CONFIG_GLOBAL": "/dev/null"})
        report = nobody.exporter("doctor", "--json").report
        told = {c["name"]: c["health"] for c in report["checks"] if c["area"] == "git"}
        assert (told["identity"], told["identity by hand"]) == ("ok", "warning")
        assert report["warnings"] == 1

    def test_an_unknown_target_is_wrong_usage(self, school: Place) -> None:
        assert "nowhere" in school.exporter("doctor", "--target", "nowhere", status=2).err


class TestDestroy:
    def test_it_asks_for_the_name_and_does_nothing_without(self, live: Place) -> None:
        before = live.everything()
        asked = live.exporter("destroy", "--target", "local", status=2)
        assert "--confirm local" in asked.err
        live.exporter("destroy", "--target", "local", "--confirm", "lokal", status=2)
        assert live.everything() == before

    def test_files_and_ledger_go_and_what_is_not_ours_stays(self, live: Place) -> None:
        before = live.published()
        (live.store / "robots.txt").write_text("hello", encoding="utf-8")
        done = live.exporter("destroy", "--target", "local", "--confirm", "local", "--json").report
        assert (done["files_deleted"], done["purge_error"]) == (len(before), None)
        assert live.published() == {"robots.txt": b"hello"}
        assert list(FolderStore(live.state).list()) == []
        assert "nothing was published yet" in live.exporter("status").out
        live.exporter("publish")
        assert live.published() == {**before, "robots.txt": b"hello"}

    def test_the_files_of_another_target_in_the_same_store_stay(self, live: Place) -> None:
        other = "  trial: {store: public/memora_content/, state: ./.exporter/trial}\n"
        unset = "  later: {store: 's3://bucket/${NO_SUCH_VARIABLE}', state: ./.exporter/later}\n"
        with live.config.open("a", encoding="utf-8") as config:
            config.write(other + unset)
        before = live.everything()
        for name, others in (("trial", "local"), ("local", "trial")):
            refused = live.exporter("destroy", "--target", name, "--confirm", name, status=3)
            assert f"would delete the files of target {others}," in refused.err
            assert f".exporter/{name}" in refused.err
            assert "take it out of exporter.yaml" in refused.err
        assert live.everything() == before
        checks = live.exporter("doctor", "--target", "trial", "--json", status=4).report["checks"]
        [problem] = [check for check in checks if check["health"] == "problem"]
        assert (problem["name"], "of target local too" in problem["message"]) == (
            "shared store",
            True,
        )
        live.replace_in(live.config, other, "")
        live.exporter("destroy", "--target", "local", "--confirm", "local")
        assert live.published() == {}


class TestAnotherStore:
    @pytest.fixture
    def moved(self, live: Place) -> Place:
        """Return a target of which the store was changed, and the state was not."""
        live.replace_in(live.config, "./public/memora_content", "./public/new")
        return live

    def test_nothing_is_written_to_a_store_where_the_live_files_are_not(self, moved: Place) -> None:
        before = {path: path.read_bytes() for path in moved.state.rglob("*") if path.is_file()}
        destroy = "destroy --target local --confirm local"
        for command in ("publish", "plan", "gc", "refresh", "verify --repair", destroy):
            refused = moved.exporter(*command.split(), status=3)
            assert "is of the files in public/memora_content" in refused.err, command
            assert "`store` is public/new now" in refused.err
            assert "a `state` of its own" in refused.err
        told = (
            "  the live files are in public/memora_content, and the target's `store` is public/new"
        )
        assert told in moved.exporter("status").out
        edit(moved)
        moved.exporter("publish", status=3)
        assert not (moved.root / "public" / "new").exists()
        after = {path: path.read_bytes() for path in moved.state.rglob("*") if path.is_file()}
        lease = moved.state / "lease.json"
        assert json.loads(after.pop(lease))["holder"] == json.loads(before.pop(lease))["holder"]
        assert after == before

    def test_doctor_finds_it(self, moved: Place) -> None:
        report = moved.exporter("doctor", "--target", "local", "--json", status=4).report
        [problem] = [check for check in report["checks"] if check["health"] == "problem"]
        assert (problem["area"], problem["name"]) == ("target local", "live release")
        assert "is of the files in public/memora_content" in problem["message"]
        assert "a `state` of its own" in problem["hint"]

    def test_a_state_of_its_own_publishes_everything(self, moved: Place) -> None:
        moved.replace_in(moved.config, "./.exporter/local", "./.exporter/new")
        moved.exporter("publish")
        old = moved.root / "public" / "memora_content" / "lessons"
        new = moved.root / "public" / "new" / "lessons"
        assert {path.name for path in new.iterdir()} == {path.name for path in old.iterdir()}

    def test_the_same_store_written_in_another_way_is_the_same(self, live: Place) -> None:
        url = f"file://{live.root}/public/memora_content"
        live.replace_in(live.config, "./public/memora_content", url)
        assert live.exporter("publish").out.startswith("nothing to do")
        edit(live)
        live.exporter("publish")

    def test_a_record_of_before_names_no_store_and_is_accepted(self, moved: Place) -> None:
        for path in (moved.state / "releases").glob("*.json"):
            record = json.loads(path.read_bytes())
            assert record.pop("store") == "public/memora_content"
            path.write_text(json.dumps(record), encoding="utf-8")
        assert moved.exporter("publish").out.startswith("nothing to do")


class TestWhatPeopleStumbleOver:
    def test_show_and_rollback_before_any_release_say_so(self, school: Place) -> None:
        for command in (["show"], ["show", "2026"], ["rollback", "20261121T"]):
            refused = school.exporter(*command, status=2)
            assert "error: nothing was published yet" in refused.err
            assert "exporter publish" in refused.err

    def test_a_release_is_named_by_its_beginning_everywhere(self, live: Place) -> None:
        first = live.exporter("status", "--json").report["live"]["id"]
        edit(live)
        live.exporter("publish")
        done = live.exporter("rollback", first[:-3], "--json").report
        assert done["rolled_back_to"] == first
        assert f"Exporter-Rollback: {first}" in live.git("show", "-s", "--format=%B")
        both = live.exporter("rollback", first[:4] + first[4:8] + "T", status=2)
        assert "2 releases start with" in both.err

    def test_a_rollback_takes_live_and_says_what_else_it_takes(self, live: Place) -> None:
        first = live.exporter("status", "--json").report["live"]["id"]
        edit(live)
        assert live.exporter("rollback", "live", "--json").report["rolled_back_to"] == first
        for name in ("2026-11-21", "20010101T"):
            unknown = live.exporter("rollback", name, status=2)
            assert "`exporter releases` lists" in unknown.err
            assert "`live`" in unknown.err

    def test_releases_tell_when_and_which_commit_and_that_there_are_more(self, live: Place) -> None:
        subject = live.git("show", "-s", "--format=%s")
        newest = live.exporter("releases").out
        assert f'"{subject}"' in newest
        assert live.exporter("status", "--json").report["live"]["finished_at"] in newest
        assert "older ones" not in newest
        edit(live)
        live.exporter("publish")
        assert (
            "older ones are not shown: `exporter releases 2`" in live.exporter("releases", "1").out
        )

    def test_uncommitted_content_is_mentioned_and_not_published(self, live: Place) -> None:
        file = min((live.content / "subjects").rglob("LESSON-*.yaml"))
        file.write_text(file.read_text("utf-8").replace("title: ", "title: New "), "utf-8")
        name = file.relative_to(live.root).as_posix()
        told = f"changed, but not committed, so left out: 1 content file, such as {name}"
        for command in ("plan", "publish"):
            done = live.exporter(command)
            assert told in done.err
            assert "nothing to do" in done.out
        assert "changed, but not committed: 1 content file" in live.exporter("status").out
        assert live.exporter("status", "--json").report["uncommitted_files"] == [name]

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (b"not JSON", "it is not JSON, or was cut off"),
            (b"[]", "it has not the fields that such a record has"),
            (b'{"release": "x"}', "it has not the fields that such a record has"),
        ],
    )
    def test_a_corrupt_head_is_told_in_words(self, live: Place, body: bytes, why: str) -> None:
        FolderStore(live.state).put("head.json", body, Attributes())
        refused = live.exporter("publish", status=4)
        assert f"head.json in the state store {live.state} cannot be read: {why}" in refused.err

    def test_a_bad_bucket_is_told_with_its_line(self, school: Place) -> None:
        school.replace_in(
            "exporter.yaml", "store: ./public/memora_content", "store: s3://my_bucket-/cdn"
        )
        refused = school.exporter("status", status=2)
        assert "exporter.yaml:5: targets.local.store: names no bucket" in refused.err

    def test_an_empty_database_is_one_problem(self, school: Place) -> None:
        (school.root / "site.db").unlink()
        sqlite3.connect(school.root / "site.db").close()
        report = school.exporter("doctor", "--json", status=4).report
        found = [c["name"] for c in report["checks"] if c["area"] == "database"]
        assert found == ["connection", "tables"]
        assert report["problems"] == 1

    def test_long_lists_end_with_totals_and_one_thing_is_singular(self, school: Place) -> None:
        files = len(school.exporter("plan", "--json").report["steps"])
        planned = school.exporter("plan").out
        assert files > 40
        assert "more files (--verbose lists them)\nin all: put " in planned
        assert "delete 0 files" in planned
        school.exporter("publish")
        shown = school.exporter("show").out.splitlines()
        assert shown[-1].startswith("  in all: ")
        lesson = a_lesson(school)
        (school.store / lesson).unlink()
        told = school.exporter("verify", status=1).out
        assert "wrong: 1 object; looked at" in told
        assert "1 file put right, 0 deleted" in school.exporter("verify", "--repair").out
