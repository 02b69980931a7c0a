"""What is deleted in Frappe leaves the CDN: references first, objects after."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from urllib.parse import unquote

import pytest
from sqlalchemy import Connection, text

from exporter.cli import main
from exporter.core.model import DOCTYPES, LESSON, PLAN, SUBJECT, TOPIC
from exporter.demo.site import delete_document
from tests.e2e.command_line import Place, files_below
from tests.e2e.reader import bodies, crawl, links_of, schema_problems
from tests.servers import S3Server
from tests.stores.bad_network import BadNetwork, bad_network
from tests.stores.memory import MemoryStore

SCIENCE, ARTS, BRIDGE = "GRADE-12-SCI-2026", "GRADE-12-LIT-2026", "GRADE-11-BRIDGE-2026"
TREE = (SUBJECT, *(name for name, doctype in DOCTYPES.items() if doctype.parent_field))


@pytest.fixture
def network(s3_server: S3Server) -> Iterator[BadNetwork]:
    """Return a network that only writes down what goes through it."""
    with bad_network(s3_server.endpoint_url) as network:
        yield network


@pytest.fixture
def bucket(school: Place, network: BadNetwork, s3_server: S3Server, s3_bucket: str) -> Place:
    """Return the school after its first publish to a bucket."""
    school.replace_in("exporter.yaml", "./public/memora_content", f"s3://{s3_bucket}/cdn")
    school.replace_in("exporter.yaml", "./.exporter/local", f"s3://{s3_bucket}/state")
    config = school.config.read_text("utf-8")
    school.config.write_text(f"{config}    s3: {{endpoint_url: {network.endpoint_url}}}\n", "utf-8")
    keys = {
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
    }
    bucket = Place(school.root, (s3_server.secret_key,), keys)
    bucket.exporter("publish")
    return bucket


@pytest.mark.parametrize("doctype", [LESSON, TOPIC, SUBJECT])
def test_a_deleted_branch_leaves_the_bucket(
    bucket: Place, network: BadNetwork, s3_server: S3Server, s3_bucket: str, doctype: str
) -> None:
    name = {LESSON: "LESSON-MATH-002", TOPIC: "TOPIC-MATH-2", SUBJECT: "SUBJECT-HIST"}[doctype]
    before = _objects(s3_server, s3_bucket)
    with bucket.editing() as connection:
        gone = _delete_branch(connection, doctype, name)
    bucket.exporter("snapshot", "--allow-mass-delete")
    asked = len(network.seen)
    bucket.exporter("publish", "--allow-mass-delete")
    after = _objects(s3_server, s3_bucket)
    assert before.keys() - after.keys() == {key for key in before if _is_about(key, gone)} != set()
    assert _mentions(after, gone) == set()
    _assert_whole(bucket, after)
    methods = [
        "DELETE" if request.method == "DELETE" or "delete" in request.path else request.method
        for request in network.seen[asked:]
        if f"{s3_bucket}/cdn/" in request.path or "?delete" in request.path
    ]
    assert "PUT" in methods
    assert "PUT" not in methods[methods.index("DELETE") :]


def test_a_subject_that_a_plan_still_lists_holds_that_plan_back(live: Place) -> None:
    before = live.published()
    with live.editing() as connection:
        _delete_branch(connection, SUBJECT, "SUBJECT-HIST", unlist=False)
    live.exporter("snapshot", "--allow-mass-delete")
    refused = live.exporter("publish", status=1)
    assert re.search(rf"{ARTS}: held back\n +E111 .*SUBJECT-HIST", refused.out)
    assert live.published() == before
    with live.editing() as connection:
        _unlist(connection, "SUBJECT-HIST")
    live.exporter("snapshot")
    live.exporter("publish")
    assert not any("HIST" in key for key in live.published())
    _assert_whole(live, live.published())


def test_a_deleted_topic_leaves_its_lessons_unpublished_but_not_lost(live: Place) -> None:
    before = live.published()
    with live.editing() as connection:
        delete_document(connection, TOPIC, "TOPIC-MATH-2")
        lessons = _below(connection, TOPIC, "TOPIC-MATH-2")
    live.exporter("snapshot")
    kept = {path.stem for path in (live.content / "orphans" / LESSON).iterdir()}
    assert kept == set(lessons) != set()
    checked = live.exporter("check", "--json").report
    assert [found["name"] for found in checked["findings"] if found["code"] == "W201"] == sorted(
        lessons
    )
    live.exporter("publish")
    after = live.published()
    assert before.keys() - after.keys() == {
        key for key in before if _is_about(key, {"TOPIC-MATH-2", *lessons})
    }
    _assert_whole(live, after)


@pytest.mark.parametrize("way", ["deleted", "unpublished"])
def test_a_plan_that_ends_loses_its_whole_folder(live: Place, way: str) -> None:
    before = live.published()
    with live.editing() as connection:
        if way == "deleted":
            delete_document(connection, PLAN, SCIENCE)
        else:
            hide = text("UPDATE `tabMemora Academic Plan` SET is_published = 0 WHERE name = :plan")
            connection.execute(hide, {"plan": SCIENCE})
    live.exporter("snapshot")
    refused = live.exporter("publish", status=3)
    assert "--allow-mass-delete" in refused.err
    assert live.published() == before
    live.exporter("publish", "--allow-mass-delete")
    after = live.published()
    assert not (live.store / "plans" / SCIENCE).exists()
    only_there = {key for key in crawl(before) if key.startswith("lessons/")} - crawl(
        {key: body for key, body in before.items() if not key.startswith(f"plans/{SCIENCE}/")}
    )
    assert before.keys() - after.keys() == only_there | {
        key for key in before if key.startswith(f"plans/{SCIENCE}/")
    }
    assert only_there
    assert {key: after[key] for key in after} == {key: before[key] for key in after}
    _assert_whole(live, after)
    plans = live.exporter("releases", "1", "--json").report["releases"][0]["plans"]
    assert plans[SCIENCE]["state"] == "removed"


def test_everything_deleted_at_once_is_refused(live: Place) -> None:
    before = live.everything()
    with live.editing() as connection:
        for plan in (SCIENCE, ARTS, BRIDGE):
            delete_document(connection, PLAN, plan)
    without = {**before, "files": {}}
    for arguments in ((), ("--allow-mass-delete",)):
        refused = live.exporter("snapshot", *arguments, status=3)
        assert "plan" in refused.err
        assert {**live.everything(), "files": {}} == without


def test_no_object_goes_before_what_links_to_it(
    school: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cdn, state = MemoryStore(), MemoryStore()
    stores = {"./public/memora_content": cdn, "./.exporter/local": state}
    monkeypatch.setattr(
        "exporter.stores.opening.open_store", lambda location, **_: stores[location]
    )
    monkeypatch.chdir(school.root)
    _publish_here(monkeypatch)
    with school.editing() as connection:
        delete_document(connection, PLAN, BRIDGE)
        _delete_branch(connection, SUBJECT, "SUBJECT-BIO")
        _delete_branch(connection, TOPIC, "TOPIC-MATH-2")
        _delete_branch(connection, LESSON, "LESSON-COMP-003")
    school.exporter("snapshot", "--allow-mass-delete")
    before = cdn.bodies
    cdn.calls.clear()
    state.calls.clear()
    _publish_here(monkeypatch)
    after = cdn.bodies
    assert capfd.readouterr().err.count("error") == 0
    links = {key: links_of(body) for key, body in before.items()}
    new_links = {key: links_of(body) for key, body in after.items()}
    deletions = 0
    for operation, key in cdn.calls:
        if operation == "put":
            assert all(link in links for link in new_links[key]), f"{key} came before its links"
            links[key] = new_links[key]
        elif operation == "delete":
            deletions += 1
            del links[key]
            broken = [source for source, found in links.items() if key in found]
            assert broken == [], f"{key} went before {broken}"
    assert deletions == len(before.keys() - after.keys()) > 0
    _assert_whole(school, after)


def _publish_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `exporter publish` in this process, where stores can be exchanged."""
    monkeypatch.setattr("sys.argv", ["exporter", "publish", "--allow-mass-delete"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def _delete_branch(
    connection: Connection, doctype: str, name: str, *, unlist: bool = True
) -> set[str]:
    """Delete a document with all that is below it, as an editor has to; return the names."""
    gone = {name}
    for child in _below(connection, doctype, name):
        gone |= _delete_branch(connection, TREE[TREE.index(doctype) + 1], child)
    delete_document(connection, doctype, name)
    if doctype == SUBJECT and unlist:
        _unlist(connection, name)
    return gone


def _below(connection: Connection, doctype: str, name: str) -> list[str]:
    if doctype == LESSON:
        return []
    below = DOCTYPES[TREE[TREE.index(doctype) + 1]]
    statement = f"SELECT name FROM `tab{below.name}` WHERE {below.parent_field} = :name"
    return list(connection.execute(text(statement), {"name": name}).scalars())


def _unlist(connection: Connection, subject: str) -> None:
    row = text("DELETE FROM `tabMemora Plan Subject` WHERE subject = :subject")
    connection.execute(row, {"subject": subject})


def _is_about(key: str, names: set[str]) -> bool:
    """Tell whether the object is one document's own."""
    segment = unquote(key.rpartition("/")[2].removesuffix(".json"))
    return segment.removesuffix("_h").removesuffix("_b") in names


def _mentions(files: Mapping[str, bytes], names: set[str]) -> set[str]:
    """Return the files in which some value is one of these names."""
    quoted = [json.dumps(name, ensure_ascii=False).encode() for name in names]
    return {key for key, body in files.items() if any(each in body for each in quoted)}


def _assert_whole(place: Place, files: Mapping[str, bytes]) -> None:
    """Every link resolves, nothing is left over, and a fresh build would give the same."""
    assert crawl(files) == files.keys()
    assert schema_problems(files) == []
    place.exporter("build", "--ref", "HEAD", "--out", "build")
    built = files_below(place.root / "build")
    del built[".exporter-build"]
    assert bodies(files) == bodies(built)


def _objects(server: S3Server, bucket: str) -> dict[str, bytes]:
    """Return the bodies below the bucket's `cdn/`, by key."""
    found = {}
    with closing(server.client()) as client:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="cdn/"):
            for item in page.get("Contents", []):
                body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                found[item["Key"].removeprefix("cdn/")] = body
    return found
