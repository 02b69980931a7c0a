from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import (
    Config,
    Target,
)
from exporter.errors import ConfigError
from tests.build.test_schemas import mutated
from tests.config.files import ENVIRON, load, refusal

WRONG = [
    ("targts: {}", '1: targts: unknown key; did you mean "targets"?'),
    ("Build: {}", '1: Build: unknown key; did you mean "build"?'),
    (
        "watch: {every: 5m}",
        "1: watch.every: unknown key; known here: poll, interval, threshold",
    ),
    (
        "watch:\n  poll: 15s\n  treshold: 5",
        '3: watch.treshold: unknown key; did you mean "threshold"?',
    ),
    (
        "source:\n  extra_fields:\n    Memora Leson: [x]",
        '3: source.extra_fields.Memora Leson: unknown key; did you mean "Memora Lesson"?',
    ),
    (
        "checks: {E199: off}",
        '1: checks.E199: unknown key; did you mean "E109"?',
    ),
    ("checks: {W203: no}", '1: checks.W203: must be one of error, warning, off, not "no"'),
    (
        "publish: {addressing: hash}",
        '1: publish.addressing: must be one of stable, hashed, not "hash"; did you mean "hashed"?',
    ),
    ("watch: {threshold: 0}", "1: watch.threshold: must be at least 1, not 0"),
    ("watch: {threshold: true}", "1: watch.threshold: must be a whole number, not true"),
    ("watch: {threshold: '5'}", '1: watch.threshold: must be a whole number, not "5"'),
    ("watch: {poll: 15}", "1: watch.poll: must be a duration such as 15s, 5m, 4h or 30d, not 15"),
    (
        "watch: {poll: 1h30m}",
        '1: watch.poll: must be a duration such as 15s, 5m, 4h or 30d, not "1h30m"',
    ),
    ("publish: {concurrency: 999}", "1: publish.concurrency: must be at most 256, not 999"),
    (
        "publish: {max_delete_ratio: 30}",
        "1: publish.max_delete_ratio: must be a number from 0 to 1, not 30",
    ),
    ("build: {layouts: []}", "1: build.layouts: must not be empty"),
    ("build: {layouts: atomic}", '1: build.layouts: must be a list, not "atomic"'),
    ("build: {layouts: [atomic, atomic]}", "1: build.layouts: must not have an item twice"),
    ("build: 5", "1: build: must be a mapping, not 5"),
    ("source: [a]", "1: source: must be a mapping, not a list"),
    (
        "build: {files_base_url: files.example.org}",
        (
            "1: build.files_base_url: must be an http:// or https:// URL without a query or a "
            'login, or nothing, not "files.example.org"'
        ),
    ),
    (
        "build: {credential_patterns: ['(']}",
        (
            "1: build.credential_patterns[0]: not a regular expression: "
            "missing ), unterminated subpattern at position 0"
        ),
    ),
    (
        "source: {extra_fields: {Memora Lesson: [title]}}",
        '1: source.extra_fields.Memora Lesson[0]: "title" is read already',
    ),
    (
        "source: {extra_fields: {Memora Lesson: [stages]}}",
        '1: source.extra_fields.Memora Lesson[0]: "stages" is read already',
    ),
    (
        "source:\n  url: ${U}\n  extra_fields:\n    Memora Lesson:\n      - level\n      - Owner",
        (
            "6: source.extra_fields.Memora Lesson[1]: "
            '"Owner" is Frappe\'s own column, which is never exported'
        ),
    ),
    (
        "source: {extra_fields: {Memora Lesson: [_assign]}}",
        (
            "1: source.extra_fields.Memora Lesson[0]: "
            '"_assign" is Frappe\'s own column, which is never exported'
        ),
    ),
    (
        "snapshot: {path: /content}",
        (
            "1: snapshot.path: must be a folder inside the repository, such as content-snapshot, "
            'not "/content"'
        ),
    ),
    (
        "snapshot: {path: a/../../b}",
        (
            "1: snapshot.path: must be a folder inside the repository, such as content-snapshot, "
            'not "a/../../b"'
        ),
    ),
    (
        "media: {signed: [{prefix: 'https://m.example/', bucket: b, expires: 30m}]}",
        "1: media.signed[0].expires: must be from 1h to 24h, not 30m",
    ),
    (
        "media: {signed: [{prefix: 'https://m.example/', bucket: b, expires: 25h}]}",
        "1: media.signed[0].expires: must be from 1h to 24h, not 25h",
    ),
    (
        "media:\n  signed: [{prefix: 'https://m.example/', bucket: b}]\n  refresh_before: 4h",
        (
            "3: media.refresh_before: must be shorter than the 4h that URLs of https://m.example/ "
            "work, not 4h"
        ),
    ),
    (
        "media: {signed: [{prefix: 'https://m.example/'}]}",
        '1: media.signed[0]: "bucket" is missing',
    ),
    ("targets:\n  t:\n    store: a", '2: targets.t: "state" is missing'),
    (
        "targets: {a b: {store: a, state: b}}",
        "1: targets.a b: must be a name of letters, digits, - and _",
    ),
    (
        "targets: {t: {store: 'gs://x', state: b}}",
        '1: targets.t.store: must be a folder, a file:/// URL or s3://bucket/prefix, not "gs://x"',
    ),
    (
        (
            "targets: {t: {store: a, state: b, purge: {provider: cloudflare, zone_id: z, "
            "api_token: ${T}}}}"
        ),
        '1: targets.t.purge: needs "base_url", the URL that readers use',
    ),
    ("- a", "1: must be a mapping with keys such as source and targets"),
    ("source", "1: must be a mapping with keys such as source and targets"),
    ("a: 1\na: 2", '2: the key "a" is there twice'),
    ("a: {b: 1", "1: not valid YAML: expected ',' or '}', but got '<stream end>'"),
    ("a: 1\n---\nb: 2", "2: not valid YAML: but found another document"),
    ("watch: {threshold: !big 5}", "1: tags (!name) are not used here"),
    ("snapshot:\n  max_delete_ratio: .nan", "2: infinity and NaN are not numbers that can be used"),
    ("&r\nwatch: *r", "1: nested too deeply, or an alias is inside what it refers to"),
    ("a: &a {<<: *a}", "1: a merge (<<) refers to what it is in"),
    ('a: "\\ud800"', "1: holds half a character, which is no text"),
    ("a: \x01", "1: holds a character that YAML does not allow"),
    ("a: " + "[" * 1500, "1: nested too deeply, or an alias is inside what it refers to"),
]


@pytest.mark.parametrize(("text", "line"), WRONG)
def test_what_is_wrong_is_one_clear_line(folder: Path, text: str, line: str) -> None:
    assert refusal(folder, text) == [f"exporter.yaml:{line}"]


@pytest.mark.parametrize(
    ("store", "state"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket/state"),
        ("s3://bucket/state/cdn", "s3://bucket/state"),
        ("./public", "public/"),
        ("./public", "./public/../public/state"),
        ("file:///srv/cdn", "/srv/cdn/state"),
        ("{root}/public", "public/state"),
    ],
)
def test_the_state_store_is_apart_from_what_readers_see(
    folder: Path, store: str, state: str
) -> None:
    target = {"store": store.format(root=folder), "state": state}
    expected = (
        "exporter.yaml:1: targets.t.state: "
        "must be apart from `store`: what is in the state store is not for readers"
    )
    assert refusal(folder, json.dumps({"targets": {"t": target}})) == [expected]
    variable = json.dumps({"targets": {"t": {**target, "state": "${STATE}"}}})
    config = load(folder, variable, {"STATE": state})
    with pytest.raises(ConfigError, match="must be apart from"):
        config.target()


def test_stores_that_only_look_alike_are_apart(folder: Path) -> None:
    for store, state in (("s3://cdn", "s3://cdn-state"), ("public", "public-state")):
        text = json.dumps({"targets": {"t": {"store": store, "state": state}}})
        assert load(folder, text).target() == Target("t", store, state)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = """\
source:
  url: postgres://reader@db/site
  extra_fields: {Memora Lesson: [idx]}
watch: {treshold: 5}
media:
  signed:
    - {prefix: "https://m.example/", bucket: b, expires: 3d}
targets:
  production:
    store: s3://cdn
    state: s3://cdn
    purge: {provider: cloudflare, zone_id: ${CF_ZONE}, api_token: hunter2}
"""
    assert refusal(folder, text) == [
        (
            "exporter.yaml:2: source.url: must be a database URL such as "
            "mysql+pymysql://reader@db/site or sqlite:///site.db"
        ),
        (
            "exporter.yaml:3: source.extra_fields.Memora Lesson[0]: "
            '"idx" is Frappe\'s own column, which is never exported'
        ),
        'exporter.yaml:4: watch.treshold: unknown key; did you mean "threshold"?',
        "exporter.yaml:7: media.signed[0].expires: must be from 1h to 24h, not 3d",
        "exporter.yaml:12: targets.production.purge.api_token: a secret is written out here",
        'exporter.yaml:12: targets.production.purge: needs "base_url", the URL that readers use',
    ]


def use_everything(config: Config) -> None:
    def sections() -> Iterator[Callable[[], object]]:
        names = ("source", "snapshot", "watch", "build", "checks", "media", "publish")
        yield from (partial(getattr, config, name) for name in names)
        yield from (partial(config.target, name) for name in config.target_names)
        yield config.source_url
        yield config.shaping

    for use in sections():
        with suppress(ConfigError):
            use()


@given(mutated("config"), st.sampled_from([ENVIRON, {}, dict.fromkeys(ENVIRON, "${x\n:\udc80")]))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_makes_anything_but_a_configuration_error(
    folder: Path, document: object, environ: dict[str, str]
) -> None:
    with suppress(ConfigError):
        use_everything(load(folder, json.dumps(document), environ))
