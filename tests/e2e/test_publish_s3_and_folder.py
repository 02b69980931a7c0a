"""One commit on two targets, a bucket and a folder: the same objects with the same headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from exporter.core.model import LESSON, PLAN
from exporter.demo.site import delete_document, edit_lesson_title, set_field
from exporter.stores.folder import FolderStore
from tests.e2e.command_line import Place, files_below
from tests.e2e.reader import crawl, kind_of, schema_problems
from tests.servers import S3Server

SHARED = "LESSON-MATH-001"
BRIDGE = "GRADE-11-BRIDGE-2026"
BUCKET, FOLDER = ("--target", "bucket"), ("--target", "folder")


@dataclass(frozen=True, slots=True)
class Served:
    """An object as a store serves it."""

    body: bytes
    content_type: str
    cache_control: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as another program sees it."""

    server: S3Server
    name: str

    def objects(self, prefix: str) -> dict[str, Served]:
        found = {}
        with closing(self.server.client()) as client:
            for key in self.traces(prefix):
                answer = client.get_object(Bucket=self.name, Key=f"{prefix}{key}")
                found[key] = Served(
                    answer["Body"].read(),
                    answer["ContentType"],
                    answer.get("CacheControl", ""),
                    answer["Metadata"],
                )
        return found

    def traces(self, prefix: str) -> dict[str, tuple[str, datetime]]:
        """Return what shows any write there was."""
        with closing(self.server.client()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix
            )
            return {
                item["Key"].removeprefix(prefix): (item["ETag"], item["LastModified"])
                for page in pages
                for item in page.get("Contents", [])
            }


@pytest.fixture
def bucket(s3_server: S3Server, s3_bucket: str) -> Bucket:
    return Bucket(s3_server, s3_bucket)


@pytest.fixture
def both(school: Place, bucket: Bucket) -> Place:
    """Return the school with a bucket and a folder as its targets; nothing is published yet."""
    targets = {
        "bucket": {
            "store": f"s3://{bucket.name}/cdn/v1",
            "state": f"s3://{bucket.name}/state",
            "s3": {"endpoint_url": bucket.server.endpoint_url, "region": "auto"},
        },
        "folder": {"store": school.store.as_uri(), "state": "./.exporter/local"},
    }
    config, _, _ = school.config.read_text("utf-8").partition("targets:")
    school.config.write_text(f"{config}targets: {json.dumps(targets)}\n", "utf-8")
    keys = {
        "AWS_ACCESS_KEY_ID": bucket.server.access_key,
        "AWS_SECRET_ACCESS_KEY": bucket.server.secret_key,
    }
    return Place(school.root, (bucket.server.secret_key,), keys)


def test_a_bucket_and_a_folder_get_the_same_objects_with_the_same_headers(
    both: Place, bucket: Bucket
) -> None:
    first = _publish(both, bucket)
    head = both.git("rev-parse", "HEAD")
    assert {served.metadata["commit"] for served in first.values()} == {head}
    for key, served in first.items():
        age = 60 if kind_of(key) == "manifest" else 300
        assert served == Served(
            served.body,
            "application/json; charset=utf-8",
            f"max-age={age}",
            {"commit": head, "sha256": hashlib.sha256(served.body).hexdigest()},
        )

    with both.editing() as connection:
        edit_lesson_title(connection, SHARED, "عنوان أفضل 🎓")
        set_field(connection, LESSON, "LESSON-COMP-003", "is_published", 0)
        delete_document(connection, PLAN, BRIDGE)
    both.exporter("snapshot")
    second = _publish(both, bucket)
    edit = both.git("rev-parse", "HEAD")
    assert {key: served.metadata["commit"] for key, served in second.items()} == {
        key: head if first.get(key) == served else edit for key, served in second.items()
    }
    gone = {f"plans/{BRIDGE}/manifest.json", "lessons/LESSON-COMP-003.json"}
    assert first.keys() - second.keys() >= gone
    assert 0 < len([key for key in second if first.get(key) != second[key]]) < len(second)


def test_a_second_publish_writes_nothing_to_a_bucket(both: Place, bucket: Bucket) -> None:
    both.exporter("publish", *BUCKET)
    before = bucket.traces("")
    again = both.exporter("publish", *BUCKET, "--json").report
    assert again["changed"] is False
    assert both.exporter("plan", *BUCKET).out.startswith("nothing to do")
    assert bucket.traces("") == before


def test_the_state_store_holds_what_readers_must_not_see(both: Place, bucket: Bucket) -> None:
    both.exporter("publish", *BUCKET)
    state = bucket.traces("state/")
    release = both.exporter("releases", *BUCKET, "--json").report["releases"][0]["id"]
    assert {"head.json", f"releases/{release}.json"} <= state.keys()
    assert bucket.traces("").keys() == {
        *(f"state/{key}" for key in state),
        *(f"cdn/v1/{key}" for key in bucket.traces("cdn/v1/")),
    }


def test_cache_control_by_kind_is_the_configurations(both: Place, bucket: Bucket) -> None:
    both.config.write_text(
        both.config.read_text("utf-8")
        + "publish: {cache_control: {manifest: 'max-age=5', lesson: 'public, max-age=900'}}\n",
        "utf-8",
    )
    objects = _publish(both, bucket)
    configured = {"manifest": "max-age=5", "lesson": "public, max-age=900"}
    assert {key: served.cache_control for key, served in objects.items()} == {
        key: configured.get(kind_of(key), "max-age=300") for key in objects
    }


def _publish(place: Place, bucket: Bucket) -> dict[str, Served]:
    """Publish HEAD to both targets; return what both serve, which must be the same."""
    place.exporter("publish", *BUCKET)
    place.exporter("publish", *FOLDER)
    for target in (BUCKET, FOLDER):
        assert place.exporter("plan", *target, "--json").report["steps"] == []
    objects = bucket.objects("cdn/v1/")
    assert objects == _in_folder(place.store)
    files = {key: served.body for key, served in objects.items()}
    assert crawl(files) == files.keys()
    assert schema_problems(files) == []
    return objects


def _in_folder(folder: Path) -> dict[str, Served]:
    store = FolderStore(folder)
    found = {}
    for key, body in files_below(folder).items():
        info = store.head(key)
        assert info is not None
        kept = info.attributes
        found[key] = Served(body, kept.content_type, kept.cache_control, dict(kept.metadata))
    return found
