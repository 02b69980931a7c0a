"""The committed schemas and their page are what the declarations and real runs say."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from exporter.build import schemas
from exporter.build.schemas import document, kinds, published_kinds, validator
from exporter.cli import COMMANDS
from exporter.cli.session import Session
from exporter.config.schema_files import read_schema
from reference.commands import commands_page
from reference.compatibility import version_of
from reference.configuration import configuration_page
from reference.outputs import KINDS_OF, OUTPUTS
from reference.page import page
from reference.recording import Recorded
from reference.shapes import Schema
from reference.snapshots import DOCUMENTS
from reference.writing import PUBLISHED, Examples, all_schemas, text_of
from tests.cli.running import CONFIG, content_repository

ROOT = Path(__file__).parents[2]
KINDS = kinds()
NAMED_BY_CONTENT = {"config", "extra", "mappings", "extra_fields", "checks", "cache_control"}
"""Objects of which the keys are the content's or the user's own."""


@pytest.fixture(scope="session")
def generated(published: dict[str, list[Any]]) -> dict[str, Schema]:
    outputs = {kind: document(kind)["examples"][0] for kind in OUTPUTS}
    return all_schemas(ROOT, Examples(published, outputs))


def test_every_schema_is_as_its_declaration_and_its_examples_say(
    generated: dict[str, Schema],
) -> None:
    committed = {
        path.name.removesuffix(".schema.json"): path.read_text(encoding="utf-8")
        for path in (ROOT / "schemas").iterdir()
    }
    assert generated.keys() == committed.keys()
    stale = [kind for kind, schema in generated.items() if text_of(schema) != committed[kind]]
    assert stale == [], "run `make reference`"


def test_the_page_is_what_the_schemas_say(generated: dict[str, Schema]) -> None:
    committed = (ROOT / "docs" / "json-reference.md").read_text(encoding="utf-8")
    assert page(generated) == committed, "run `make reference`"


def test_the_page_of_the_configuration_is_what_its_schema_says() -> None:
    committed = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert configuration_page(document("config")) == committed, "run `make reference`"


def test_the_page_of_the_commands_is_what_they_say_themselves() -> None:
    committed = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert commands_page() == committed, "run `make reference`"


def test_links_of_the_page_lead_somewhere(generated: dict[str, Schema]) -> None:
    text = page(generated)
    lines = text.split("\n")
    headings = [line.lstrip("#").strip() for line in lines if line.startswith("#")]
    anchors = [
        "".join(c for c in heading.lower() if c.isalnum() or c in " -_").replace(" ", "-")
        for heading in headings
    ]
    assert len(set(anchors)) == len(anchors)
    used = {part.split(")", 1)[0] for part in text.split("](#")[1:]}
    assert used <= set(anchors)


def test_the_kinds_are_those_of_files_documents_outputs_and_the_configuration() -> None:
    assert set(KINDS) == {*PUBLISHED, *DOCUMENTS, *OUTPUTS, "config"}
    assert set(published_kinds()) == set(PUBLISHED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_has_words_a_version_and_examples_that_fit(kind: str) -> None:
    schema = document(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    version = version_of(schema)
    assert schema["$id"] == f"https://exporter.example/schemas/v{version}/{kind}.schema.json"
    assert schema["title"]
    assert schema["description"]
    assert schema["examples"]
    assert [validator(kind)(example) for example in schema["examples"]] == [
        [] for _ in schema["examples"]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_and_no_object_is_open_by_oversight(kind: str) -> None:
    undescribed = []
    unclosed = []
    for name, node in nodes(document(kind), kind):
        for key, value in node.get("properties", {}).items():
            if not (value.get("title") and value.get("description")):
                undescribed.append(f"{name}.{key}")
        if node.get("type") == "object" and "additionalProperties" not in node:
            unclosed.append(name)
    assert (undescribed, set(unclosed) - NAMED_BY_CONTENT) == ([], set())


def nodes(node: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema inside a schema, with the name of its key or definition."""
    if not isinstance(node, dict):
        return
    yield name, node
    for group in ("properties", "$defs"):
        for inner, schema in node.get(group, {}).items():
            yield from nodes(schema, inner)
    for group in ("items", "additionalProperties"):
        yield from nodes(node.get(group), name)
    for variant in node.get("anyOf", ()):
        yield from nodes(variant, name)


def test_everything_that_commands_print_fits_its_schema(recorded: list[Recorded]) -> None:
    wrong = {
        (one.kind, one.arguments): found
        for one in recorded
        if (found := validator(one.kind)(one.report))
    }
    assert wrong == {}


def test_keys_are_printed_in_the_order_of_their_schema(recorded: list[Recorded]) -> None:
    for one in recorded:
        declared = list(document(one.kind)["properties"])
        assert list(one.report) == [key for key in declared if key in one.report], one.arguments


def test_every_kind_of_output_was_really_printed(recorded: list[Recorded]) -> None:
    assert {one.kind for one in recorded} == set(OUTPUTS)


def test_a_failure_is_one_object_that_names_its_exit_status(recorded: list[Recorded]) -> None:
    failures = [one for one in recorded if one.kind == "output-error"]
    told = [(one.status, one.report["error"]["exit_status"]) for one in failures]
    assert {status for status, _ in told} == {2, 3, 4}
    assert all(status == named for status, named in told)
    assert {one.report["error"]["kind"] for one in failures} == {
        *("usage", "configuration", "refused", "database")
    }


def commands() -> dict[str, click.Command]:
    modules = {
        name: importlib.import_module(f"exporter.cli.{name.replace('-', '_')}") for name in COMMANDS
    }
    return {name: module.command for name, module in modules.items()}


def prints_json(command: click.Command) -> bool:
    return any(
        "--json" in option.opts
        or (isinstance(option.type, click.Choice) and "json" in option.type.choices)
        for option in command.params
    )


def test_every_command_that_prints_json_has_a_schema_for_it() -> None:
    printing = {name for name, command in commands().items() if prints_json(command)}
    wanted = {kind for name in printing for kind in KINDS_OF.get(name, (f"output-{name}",))} | {
        "output-error"
    }
    assert wanted == set(OUTPUTS)


def test_a_command_without_a_schema_would_be_noticed() -> None:
    @click.command()
    @click.option("--format", type=click.Choice(["text", "json"]))
    def chatty() -> None: ...

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def new() -> None: ...

    @click.command()
    @click.option("--lessons", type=int)
    def silent() -> None: ...

    assert [prints_json(one) for one in (chatty, new, silent)] == [True, True, False]


def fingerprint(root: Path) -> str:
    return Session(None, root, quiet=True, verbose=False, color=False).workspace.fingerprint


def test_only_schemas_of_published_files_are_in_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a word in the schema of a report would have every site built anew."""
    root = content_repository(tmp_path, {}, CONFIG)
    as_it_is, changing = fingerprint(root), []
    for kind in KINDS:
        changed = {**document(kind), "title": "Another title"}
        with monkeypatch.context() as patch:
            patch.setattr(
                schemas,
                "document",
                lambda asked, kind=kind, changed=changed: (
                    changed if asked == kind else document(asked)
                ),
            )
            if fingerprint(root) != as_it_is:
                changing.append(kind)
    assert sorted(changing) == sorted(PUBLISHED)


def test_the_schemas_of_outputs_are_not_read_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading(kind: str) -> dict[str, Any]:
        read.append(kind)
        return read_schema(kind)

    monkeypatch.setattr(schemas, "read_schema", reading)
    validator.cache_clear()
    validator("topic")
    validator.cache_clear()
    assert read == ["topic"]
