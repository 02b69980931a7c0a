"""One edited title of a subject that three plans share: what is put, and what is purged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo.site import create_site, edit_lesson_title
from tests.e2e.cdn import serving
from tests.e2e.command_line import Place, traces_below
from tests.e2e.reader import crawl, schema_problems
from tests.publish.cloudflare_standin import TOKEN, ZONE, CloudflareStandin, cloudflare_standin

PLANS = ("GRADE-11-BRIDGE-2026", "GRADE-12-LIT-2026", "GRADE-12-SCI-2026")
LESSON = "LESSON-MATH-001"
APP = "https://app.school.example"
FOLLOWS = {
    f"lessons/{LESSON}.json",
    *(f"plans/{plan}/TOPIC-MATH-1.json" for plan in PLANS),
    *(f"plans/{plan}/SUBJECT-MATH_h.json" for plan in PLANS),
    *(f"plans/{plan}/search_index.json" for plan in PLANS),
    *(f"plans/{plan}/manifest.json" for plan in PLANS),
}
"""The lesson, and each plan's topic, hierarchy, search file and manifest."""


@pytest.fixture
def cloudflare() -> Iterator[CloudflareStandin]:
    with cloudflare_standin() as standin:
        yield standin


@pytest.fixture
def edited(
    live: Place, cloudflare: CloudflareStandin, request: pytest.FixtureRequest
) -> Iterator[Place]:
    """Return the live school with a CDN in front of it and one new title that waits in git.

    The parameter is the method of purging.
    """
    with serving(live.store) as base_url:
        purge = {
            "provider": "cloudflare",
            "zone_id": ZONE,
            "api_token": "${CF_TOKEN}",
            "method": request.param,
            "origins": [APP],
            "endpoint": cloudflare.endpoint,
        }
        lines = f"    base_url: {base_url}\n    purge: {json.dumps(purge)}\n"
        live.replace_in("exporter.yaml", "    state:", f"{lines}    state:")
        with live.editing() as connection:
            edit_lesson_title(connection, LESSON, "عنوان جديد · A new title")
        edited = Place(live.root, (TOKEN,), {"CF_TOKEN": TOKEN})
        edited.exporter("snapshot")
        yield edited


def _base_url(place: Place) -> str:
    line = next(line for line in place.config.read_text("utf-8").split("\n") if "base_url" in line)
    return line.split()[-1]


@pytest.mark.parametrize("edited", ["files"], indirect=True)
def test_only_what_follows_from_the_title_is_put_and_purged(
    edited: Place, cloudflare: CloudflareStandin
) -> None:
    before, old_traces = edited.published(), traces_below(edited.store)
    steps = edited.exporter("plan", "--json").report["steps"]
    assert {step["key"] for step in steps if step["step"] in ("put", "delete")} == FOLLOWS
    assert cloudflare.requests == []

    edited.exporter("publish")
    after = edited.published()
    traces = traces_below(edited.store)
    touched = {name for name in traces if old_traces.get(name) != traces[name]}
    assert touched - {".exporter/lock"} == {
        *FOLLOWS,
        *(f".exporter/attributes/{key}.json" for key in FOLLOWS),
    }
    assert all("A new title" in after[key].decode() for key in FOLLOWS if _names_lessons(key))
    assert crawl(after) == after.keys() == before.keys()
    assert schema_problems(after) == []

    base = _base_url(edited)
    urls = [
        f"{base}/{key}{query}"
        for key in FOLLOWS
        for query in ("", f"?v={json.loads(before[key])['version']}")
    ]
    assert _named(cloudflare) == sorted(
        [*((url, "") for url in urls), *((url, APP) for url in urls)]
    )
    assert all(len(body["files"]) <= 30 for body in cloudflare.accepted)

    requests = list(cloudflare.requests)
    edited.exporter("publish")
    assert cloudflare.requests == requests


def test_a_search_index_in_shards_changes_in_one_shard(place: Place) -> None:
    (place.root / "site.db").unlink()
    create_site(place.root / "site.db", 1600)
    place.exporter("snapshot")
    place.exporter("publish")
    before = place.published()
    with place.editing() as connection:
        edit_lesson_title(connection, LESSON, "A new title")
    place.exporter("snapshot")
    place.exporter("publish")
    after = place.published()
    shards = {f"plans/{plan}/search/SUBJECT-MATH.json" for plan in PLANS}
    assert {key for key in after if before.get(key) != after[key]} == FOLLOWS | shards
    assert crawl(after) == after.keys() == before.keys()
    assert schema_problems(after) == []


@pytest.mark.parametrize("edited", ["prefixes"], indirect=True)
def test_prefixes_name_the_same_files_without_their_forms(
    edited: Place, cloudflare: CloudflareStandin
) -> None:
    edited.exporter("publish")
    base = _base_url(edited).removeprefix("http://")
    named = [prefix for body in cloudflare.accepted for prefix in body["prefixes"]]
    assert sorted(named) == sorted(f"{base}/{key}" for key in FOLLOWS)


@pytest.mark.parametrize("edited", ["files"], indirect=True)
def test_a_refused_purge_is_told_and_paid_by_the_next_run(
    edited: Place, cloudflare: CloudflareStandin
) -> None:
    cloudflare.token = "another-token"
    done = edited.exporter("publish", status=4)
    assert "10000 Authentication error" in done.err
    after = edited.published()
    assert all("A new title" in after[key].decode() for key in FOLLOWS if _names_lessons(key))
    owed = edited.exporter("status", "--json").report["purges_pending"]
    assert owed > 0
    assert cloudflare.accepted == []

    cloudflare.token = TOKEN
    edited.exporter("publish")
    assert edited.published() == after
    assert len(_named(cloudflare)) == 4 * len(FOLLOWS)
    assert edited.exporter("status", "--json").report["purges_pending"] == 0


def _names_lessons(key: str) -> bool:
    """Tell whether a file shows the titles of lessons; manifests and hierarchies do not."""
    return not key.endswith(("_h.json", "manifest.json"))


def _named(cloudflare: CloudflareStandin) -> list[tuple[str, str]]:
    """Return every URL that was purged, with the origin of its form."""
    files: list[Any] = [file for body in cloudflare.accepted for file in body["files"]]
    return sorted(
        (file, "") if isinstance(file, str) else (file["url"], file["headers"]["Origin"])
        for file in files
    )
