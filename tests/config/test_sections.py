from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from exporter.config import (
    S3,
    Build,
    Media,
    Publish,
    Purge,
    Secret,
    SignedMedia,
    Snapshot,
    Source,
    Target,
    Watch,
)
from exporter.config.schema_files import read_schema
from tests.config.files import ENVIRON, EXAMPLE, load


def test_the_example_of_the_documentation_gives_every_section(folder: Path) -> None:
    config = load(folder, EXAMPLE, ENVIRON)
    assert config.root == folder
    assert config.source == Source({"Memora Lesson": ("difficulty",)})
    assert config.source_url().reveal() == "mysql+pymysql://reader:hunter2@db/site"
    assert config.snapshot == Snapshot(author="Bot <bot@example.org>")
    assert config.watch == Watch(poll_s=15, interval_s=300, threshold=50)
    assert config.build == Build()
    assert config.checks == {"W203": "off", "W205": "error"}
    rule = SignedMedia("https://media.example.org/", "memora-media", 14_400)
    assert config.media == Media((rule,), None)
    assert config.publish == Publish(keep_s=30 * 86_400)
    assert config.target_names == ("production", "local")
    assert config.target("local") == Target("local", "./public/memora_content", "./.exporter/local")
    assert config.target("production") == Target(
        "production",
        "s3://memora-cdn",
        "s3://memora-state/production",
        S3("https://<account>.r2.cloudflarestorage.com", "auto"),
        "https://cdn.example.org",
        Purge("cloudflare", "zone", Secret("hunter2"), "files", ("https://app.example.org",), 30),
    )


@pytest.mark.parametrize("text", ["", "{}\n", "# nothing yet\n", "targets:\nbuild:\n"])
def test_everything_has_a_default(folder: Path, text: str) -> None:
    config = load(folder, text)
    found = (
        config.source,
        config.snapshot,
        config.watch,
        config.build,
        config.checks,
        config.media,
        config.publish,
        config.target_names,
    )
    assert found == (
        Source(),
        Snapshot(),
        Watch(),
        Build(),
        {},
        Media(),
        Publish(),
        (),
    )


def test_the_defaults_that_the_schema_names_are_the_ones_that_apply(folder: Path) -> None:
    """A file with every default written out gives the same as an empty one."""

    def defaults(node: dict[str, Any]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for name, schema in node["properties"].items():
            if "default" in schema:
                written[name] = schema["default"]
            elif schema.get("properties") and not schema.get("required"):
                written[name] = defaults(schema)
        return written

    schema = read_schema("config")
    target = schema["properties"]["targets"]["additionalProperties"]
    written = defaults(schema)
    purge = {
        "provider": "cloudflare",
        "zone_id": "z",
        "api_token": "${T}",
    }
    plain = {"store": "a", "state": "b", "base_url": "https://c.example", "purge": purge}
    full = {
        **plain,
        **defaults(target),
        "purge": {**purge, **defaults(target["properties"]["purge"])},
    }
    environ = {"T": "t"}
    one = load(folder, json.dumps({**written, "targets": {"t": full}}), environ)
    other = load(folder, json.dumps({"targets": {"t": plain}}), environ)
    assert (one.sections.snapshot, one.watch, one.build, one.media, one.publish) == (
        other.sections.snapshot,
        other.watch,
        other.build,
        other.media,
        other.publish,
    )
    assert one.target() == other.target()
    assert set(written["publish"]["cache_control"]) == set(other.publish.cache_control)


def test_the_schema_takes_its_examples_and_what_stands_in_them_loads(folder: Path) -> None:
    schema = read_schema("config")
    for example in schema["examples"]:
        jsonschema.validate(example, schema)
        config = load(folder, json.dumps(example), ENVIRON)
        assert config.target_names == tuple(example.get("targets", {}))


def test_yaml_1_2_and_1_1_spellings_of_off_switch_a_check_off(folder: Path) -> None:
    assert load(folder, "checks: {W203: off, W204: false, W205: 'off'}\n").checks == {
        "W203": "off",
        "W204": "off",
        "W205": "off",
    }


@pytest.mark.parametrize(
    ("written", "seconds"), [("15s", 15), ("5m", 300), ("4h", 14_400), ("30d", 2_592_000)]
)
def test_durations_are_seconds(folder: Path, written: str, seconds: int) -> None:
    assert load(folder, f"watch: {{poll: {written}}}\n").watch == Watch(poll_s=seconds)


def test_some_cache_control_headers_can_be_set_and_the_others_stay(folder: Path) -> None:
    config = load(folder, 'publish: {cache_control: {lesson: "public, max-age=9"}}\n')
    assert config.publish == Publish(
        cache_control={**Publish().cache_control, "lesson": "public, max-age=9"}
    )


def test_urls_lose_their_final_slash_and_an_empty_one_is_none(folder: Path) -> None:
    text = """\
build: {files_base_url: "https://files.example.org/a/"}
targets: {t: {store: a, state: b, base_url: "https://cdn.example.org/", s3: {endpoint_url: ""}}}
"""
    config = load(folder, text)
    assert config.build == Build(files_base_url="https://files.example.org/a")
    assert config.target() == Target("t", "a", "b", S3(None), "https://cdn.example.org")


def test_anchors_and_merges_work(folder: Path) -> None:
    text = """\
targets:
  one: &one
    store: s3://cdn/one
    state: s3://state/one
    s3: {region: weur}
  two:
    <<: *one
    store: s3://cdn/two
"""
    assert load(folder, text).target("two") == Target(
        "two", "s3://cdn/two", "s3://state/one", S3(None, "weur")
    )


def test_half_of_expires_is_when_a_lesson_is_signed_again(folder: Path) -> None:
    rule = '{prefix: "https://m.example/", bucket: b, expires: 2h}'
    plain = load(folder, f"media: {{signed: [{rule}]}}\n").media
    told = load(folder, f"media: {{signed: [{rule}], refresh_before: 30m}}\n").media
    assert [media.refresh_before(media.signed[0]) for media in (plain, told)] == [3600, 1800]


def test_what_shapes_the_output_is_plain_json(folder: Path) -> None:
    text = """\
source: {extra_fields: {Memora Topic: [b, a], Memora Lesson: [z]}}
build: {layouts: [monolithic, atomic], default_access: public, version_links: false,
  files_base_url: "https://files.example.org", credential_patterns: ["sk-[a-z]+"]}
checks: {W205: error, E110: error, W203: off}
media: {signed: [{prefix: "https://m.example/", bucket: m, expires: 2h}]}
"""
    shaping = load(folder, text).shaping()
    assert (
        json.loads(json.dumps(shaping))
        == shaping
        == {
            "layouts": ["atomic", "monolithic"],
            "default_access": "public",
            "version_links": False,
            "files_base_url": "https://files.example.org",
            "credential_patterns": ["sk-[a-z]+"],
            "extra_fields": {"Memora Lesson": ["z"], "Memora Topic": ["b", "a"]},
            "checks": {"W203": "off", "W205": "error"},
            "signed": [["https://m.example/", "m", 7200]],
            "addressing": "stable",
        }
    )
    assert load(folder, "publish: {addressing: hashed}\n").shaping()["addressing"] == "hashed"


def test_a_default_that_is_written_out_changes_no_fingerprint(folder: Path) -> None:
    written = EXAMPLE.replace("W205: error", "W205: warning").replace("W203: off", "W203: warning")
    written = written.replace("extra_fields: {Memora Lesson: [difficulty]}", "extra_fields: {}")
    written = re.sub(r"  signed: .*", "  signed: []", written)
    assert load(folder, written).shaping() == load(folder, "").shaping()
