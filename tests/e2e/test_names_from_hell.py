"""Hostile names and a site's own fields, from both databases to what both stores serve."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from exporter.core.model import LESSON, PLAN, SUBJECT, TOPIC, TRACK, UNIT
from exporter.core.segments import object_url, segment
from exporter.demo.schema import insert_rows
from tests.cli.running import run
from tests.frappe_site import STANDARD, FrappeSite
from tests.servers import MariaDBDatabase, S3Server

NAMES = (
    *("LESSON-MATH-001", "درس ١", "الدّرس الأوّل", "a/b", "..", ".", "_h", "a b", "100%", "%2F"),
    *(
        "?v=1#x",
        "a&b=c+d",
        "CON",
        "nul.json",
        "~tilde~",
        "'quoted'",
        '"double"',
        "<b>",
        "a\\b",
        "a:b",
    ),
    *("é", "ß", "🎓", "x" * 140, "ع" * 140, "🎓" * 139, "a.json", "manifest.json", "٣", "*", "|"),
)
PLAN_NAME, SUBJECT_NAME = "خطة /١", "علوم & math"
CONFIG = """\
source:
  url: ${SITE_URL}
  extra_fields:
    Memora Lesson: [difficulty, minutes, rating, is_new]
    Memora Academic Plan: [level]
snapshot: {author: "Content Snapshot <snapshot@school.example>"}
targets:
  folder: {store: ./public, state: ./.exporter/folder}
  bucket:
    store: s3://%(bucket)s/cdn
    state: s3://%(bucket)s/state
    s3: {endpoint_url: "%(endpoint)s", region: us-east-1}
"""


@pytest.fixture(params=["sqlite", "mariadb"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> FrappeSite:
    """Return a site in which every lesson and its topic have a hostile name."""
    if request.param == "mariadb":
        database: MariaDBDatabase = request.getfixturevalue("mariadb_database")
        made = FrappeSite.create(database.url)
    else:
        made = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    _add_columns(made)
    made.add(SUBJECT, SUBJECT_NAME, title="Science", is_published=1)
    made.add(TRACK, "_track", title="Track", is_published=1, parent_subject=SUBJECT_NAME)
    made.add(UNIT, "..unit", title="Unit", is_published=1, parent_track="_track")
    both = [{**STANDARD, "name": name, "title": name, "is_published": 1} for name in NAMES]
    with made.writing() as connection:
        insert_rows(connection, TOPIC, [{**one, "parent_unit": "..unit"} for one in both])
        lessons = enumerate(both)
        rows = [{**one, "parent_topic": one["name"], "bit_index": bit} for bit, one in lessons]
        insert_rows(connection, LESSON, rows)
    plan = made.add(PLAN, PLAN_NAME, title="Plan", is_published=1)
    made.add_row(plan, "subjects", 1, subject=SUBJECT_NAME, sort_order=0)
    return made


def _add_columns(site: FrappeSite) -> None:
    lesson = {
        "minutes": "int(11) NOT NULL DEFAULT 0",
        "rating": "decimal(21,9) NOT NULL DEFAULT 0",
        "is_new": "tinyint(4) NOT NULL DEFAULT 0",
    }
    for name, declared in lesson.items():
        site.execute(f"ALTER TABLE `tabMemora Lesson` ADD COLUMN `{name}` {declared}")
    site.execute("ALTER TABLE `tabMemora Academic Plan` ADD COLUMN `level` varchar(140)")


@pytest.fixture
def root(
    site: FrappeSite,
    tmp_path: Path,
    s3_server: S3Server,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return the site's content repository, with a folder and a bucket to publish to."""
    root = tmp_path / "content"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    config = CONFIG % {"bucket": s3_bucket, "endpoint": s3_server.endpoint_url}
    (root / "exporter.yaml").write_text(config, encoding="utf-8")
    monkeypatch.setenv("SITE_URL", site.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    return root


def done(root: Path, *arguments: str) -> Any:
    said = run(root, *arguments, "--json")
    assert said.status == 0, said
    return said.report


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP as any web server would."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def signed(server: S3Server, bucket: str, link: str, key: str) -> str:
    """Return a signed URL of an object with the link's own path: it opens only if both agree."""
    with closing(server.client()) as client:
        parameters = {"Bucket": bucket, "Key": key}
        url = urlsplit(client.generate_presigned_url("get_object", Params=parameters))
    return url._replace(path=f"/{bucket}/cdn/{link.partition('?')[0]}").geturl()


def links_in(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name.endswith("url") and isinstance(inner, str):
                yield inner
            else:
                yield from links_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from links_in(inner)


def crawled(base: str) -> dict[str, Any]:
    """Follow every link from the plan's manifest over HTTP; return the files by link."""
    found: dict[str, Any] = {}
    waiting = [object_url(f"plans/{segment(PLAN_NAME)}/manifest.json")]
    with httpx.Client(base_url=base) as client:
        while waiting:
            link = waiting.pop()
            if link not in found:
                answer = client.get(f"{base}{link}")
                assert answer.status_code == 200, link
                found[link] = answer.json()
                waiting += links_in(found[link])
    return found


def test_hostile_names_survive_from_the_database_to_both_stores_over_http(
    root: Path, s3_server: S3Server, s3_bucket: str
) -> None:
    assert done(root, "snapshot")["documents"] == 2 * len(NAMES) + 4
    assert done(root, "check")["findings"] == []
    for target in ("folder", "bucket"):
        done(root, "publish", "--target", target)
    with serving(root / "public") as base:
        files = crawled(base)
    lessons = {body["id"] for link, body in files.items() if link.startswith("lessons/")}
    topics = {body["id"] for body in files.values() if "parent" in body}
    assert lessons == topics == set(NAMES)
    stored = {
        file.relative_to(root / "public").as_posix()
        for folder in ("plans", "lessons")
        for file in (root / "public" / folder).rglob("*.json")
    }
    by_path = {object_url(key): key for key in stored}
    assert {link.partition("?")[0] for link in files} == by_path.keys()
    with httpx.Client() as client:
        for link, body in files.items():
            key = f"cdn/{by_path[link.partition('?')[0]]}"
            answer = client.get(signed(s3_server, s3_bucket, link, key))
            assert (answer.status_code, answer.json()) == (200, body), link


def test_a_sites_own_fields_go_from_the_table_through_yaml_into_extra(
    root: Path, site: FrappeSite
) -> None:
    lesson = "UPDATE `tabMemora Lesson` SET difficulty = :d, minutes = 45, rating = 4.5, is_new = 1"
    site.execute(f"{lesson} WHERE name = 'a/b'", d="صعب")
    site.execute("UPDATE `tabMemora Academic Plan` SET level = 'B2'")
    done(root, "snapshot")
    (file,) = (root / "content-snapshot").rglob("a%2Fb.yaml")
    tail = "difficulty: صعب\nminutes: 45\nrating: 4.5\nis_new: true\n"
    assert file.read_text(encoding="utf-8").endswith(tail)
    done(root, "publish", "--target", "folder")
    plain = json.loads((root / "public/lessons/LESSON-MATH-001.json").read_bytes())
    extra = json.loads((root / "public/lessons/a%2Fb.json").read_bytes())["extra"]
    manifest = json.loads(
        (root / "public/plans" / segment(PLAN_NAME) / "manifest.json").read_bytes()
    )
    assert extra == {"difficulty": "صعب", "minutes": 45, "rating": 4.5, "is_new": True}
    assert list(extra) == ["difficulty", "minutes", "rating", "is_new"]
    assert (manifest["extra"], list(manifest)[-1]) == ({"level": "B2"}, "extra")
    assert plain["extra"] == {
        "minutes": 0,
        "rating": 0.0,
        "is_new": False,
    }
