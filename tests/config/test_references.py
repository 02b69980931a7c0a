from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import (
    Build,
    Publish,
    Purge,
    Secret,
    Snapshot,
    Source,
    Watch,
)
from exporter.config.reading import REFERENCE, expand, parse
from exporter.errors import ConfigError
from tests.config.files import ENVIRON, EXAMPLE, load, refusal


def test_only_the_use_of_a_section_asks_for_its_variables(folder: Path) -> None:
    config = load(folder, EXAMPLE)
    assert config.build == Build()
    assert config.source == Source({"Memora Lesson": ("difficulty",)})
    assert config.target("local").store == "./public/memora_content"
    assert config.shaping()["addressing"] == "stable"
    with pytest.raises(ConfigError) as caught:
        config.source_url()
    assert caught.value.message == (
        "exporter.yaml:2: source.url: the environment variable EXPORTER_DATABASE_URL is not set"
    )
    with pytest.raises(ConfigError) as caught:
        config.target("production")
    assert caught.value.message.splitlines() == [
        (
            "exporter.yaml:17: targets.production.purge.api_token: "
            "the environment variable CF_TOKEN is not set"
        ),
        (
            "exporter.yaml:17: targets.production.purge.zone_id: "
            "the environment variable CF_ZONE is not set"
        ),
    ]
    assert caught.value.hint == "set CF_TOKEN in the environment; set CF_ZONE in the environment"


def test_an_empty_variable_is_as_good_as_none(folder: Path) -> None:
    environ = {**ENVIRON, "CF_TOKEN": ""}
    with pytest.raises(ConfigError, match="CF_TOKEN is not set"):
        load(folder, EXAMPLE, environ).target("production")


@pytest.mark.parametrize(
    ("written", "environ", "read"),
    [
        ("${A}", {"A": "one"}, "one"),
        ("${A:-two}", {}, "two"),
        ("${A:-two}", {"A": ""}, "two"),
        ("${A:-two}", {"A": "one"}, "one"),
        ("${A:-}x", {}, "x"),
        ("p/${A}-${B:-b}/q", {"A": "one"}, "p/one-b/q"),
        ("${A:-a, b: [c] #d}", {}, "a, b: [c] #d"),
        ("${A}", {"A": "${B}", "B": "two"}, "${B}"),
        ("$A {x}", {"A": "one"}, "$A {x}"),
        ("${A:-http://h:1/p?q=1}", {}, "http://h:1/p?q=1"),
    ],
)
@pytest.mark.parametrize("form", ['k: "{}"', "k: '{}'", "k: {}", "k: >-\n  {}"])
def test_references_are_read_in_every_kind_of_scalar(
    form: str, written: str, environ: dict[str, str], read: str
) -> None:
    expansion = expand(parse(form.replace("{}", written)).value, environ)
    assert (expansion.value, expansion.problems) == ({"k": read}, ())


@pytest.mark.parametrize(
    ("flow", "read"),
    [
        ("{a: ${A}, b: 2}", {"a": "1{}", "b": 2}),
        ("{a: ${A:-x, y}, b: x${A}}", {"a": "1{}", "b": "x1{}"}),
        ("[${A}, ${B:-[]}]", ["1{}", "[]"]),
        ("{'a': '${A}', ${A}: 3}", {"a": "1{}", "${A}": 3}),
    ],
)
def test_references_stand_unquoted_inside_braces_and_brackets(flow: str, read: object) -> None:
    expansion = expand(parse(f"k: {flow} # ${{A}}\n").value, {"A": "1{}"})
    assert (expansion.value, expansion.problems) == ({"k": read}, ())


WORD = st.from_regex(r"[A-Z_][A-Z0-9_]{0,6}", fullmatch=True)
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="${}'"))


@given(st.lists(st.tuples(PLAIN, WORD, PLAIN | st.none()), max_size=4), PLAIN)
def test_masking_references_loses_nothing_of_any_text(
    parts: list[tuple[str, str, str | None]], tail: str
) -> None:
    text = "".join(
        f"{before}${{{name}}}" if default is None else f"{before}${{{name}:-{default}}}"
        for before, name, default in parts
    )
    assert parse(f"k: ['{text}{tail}']\n").value == {"k": [text + tail]}
    assert len(REFERENCE.findall(text)) == len(parts)


def test_a_variable_that_is_no_text_is_as_bad_as_none(folder: Path) -> None:
    config = load(folder, "snapshot: {path: ${A}}\n", {"A": "\udcff"})
    with pytest.raises(ConfigError, match="the environment variable A is not UTF-8 text"):
        _ = config.snapshot


def test_json_is_yaml_with_its_escapes(folder: Path) -> None:
    author = "🎓 مدرسة <snapshot@example.org>"
    config = load(folder, json.dumps({"snapshot": {"author": author}}))
    assert config.snapshot == Snapshot(author=author)


@pytest.mark.parametrize("written", ["${}", "${1A}", "${my-var}", "${A", "${A:-${B}}", "${A:=x}"])
def test_a_malformed_reference_is_refused_at_once(folder: Path, written: str) -> None:
    assert refusal(folder, f"snapshot:\n  path: '{written}'\n", {"A": "a", "B": "b"}) == [
        "exporter.yaml:2: snapshot.path: a reference is written ${NAME} or ${NAME:-default}"
    ]


def test_variables_become_numbers_switches_and_nothing_where_those_belong(folder: Path) -> None:
    text = """\
watch: {threshold: ${N}}
snapshot: {max_delete_ratio: ${R}}
build: {version_links: ${V}, files_base_url: ${F:-}}
targets: {t: {store: "1", state: b, base_url: "https://c.example",
  purge: {provider: cloudflare, zone_id: ${Z}, api_token: ${T}, batch_size: ${S:-7}}}}
"""
    environ = {"N": "8", "R": "0.5", "V": "False", "Z": "123", "T": "456"}
    config = load(folder, text, environ)
    assert config.watch == Watch(threshold=8)
    assert config.snapshot == Snapshot(max_delete_ratio=0.5)
    assert config.build == Build(version_links=False)
    assert config.target().purge == Purge("cloudflare", "123", Secret("456"), batch_size=7)


def test_what_a_variable_holds_is_checked_when_it_is_used_and_not_shown(folder: Path) -> None:
    text = """\
watch: {threshold: ${N}, poll: ${P}}
targets:
  t: {store: "${S}", state: b}
"""
    config = load(folder, text, {"N": "many-s3cret", "P": "s3cret", "S": "gs://s3cret"})
    with pytest.raises(ConfigError) as caught:
        _ = config.watch
    assert caught.value.message.splitlines() == [
        (
            "exporter.yaml:1: watch.poll: must be a duration such as 15s, 5m, 4h or 30d, "
            "not the value of P"
        ),
        "exporter.yaml:1: watch.threshold: must be a whole number, not the value of N",
    ]
    with pytest.raises(ConfigError) as caught:
        config.target()
    assert caught.value.message == (
        "exporter.yaml:3: targets.t.store: must be a folder, a file:/// URL or s3://bucket/prefix, "
        "not the value of S"
    )


def test_a_rule_that_a_variable_breaks_waits_until_its_section_is_used(folder: Path) -> None:
    text = """\
build: {credential_patterns: ["${P}"]}
media:
  signed: [{prefix: "https://m.example/", bucket: m, expires: "${E}"}]
  refresh_before: 2h
"""
    config = load(folder, text, {"P": "(", "E": "1h"})
    assert config.publish == Publish()
    with pytest.raises(ConfigError, match="not a regular expression"):
        _ = config.build
    with pytest.raises(ConfigError, match="must be shorter than the 1h"):
        _ = config.media


def test_a_variable_cannot_stand_for_a_whole_section(folder: Path) -> None:
    text = "targets: ${T}\nbuild: {layouts: ${L}}\n"
    assert refusal(folder, text, {"T": "{}"}) == [
        "exporter.yaml:1: targets: must be a mapping, not the value of T",
        "exporter.yaml:2: build.layouts: must be a list, not the value of L",
    ]
