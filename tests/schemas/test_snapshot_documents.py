"""The schemas of snapshot documents take what the exporter writes, and refuse what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.build.schemas import document as schema_of
from exporter.build.schemas import validator
from exporter.content.yaml_reader import read_file
from exporter.core.files import parse_mapping, render
from exporter.core.model import DOCTYPES, DocType, Document, FieldType
from exporter.core.tree import place_of
from reference.snapshots import DOCUMENTS
from tests.core.curricula import curricula, plans
from tests.core.documents import EXTRA, documents

SNAPSHOT = Path(__file__).parents[2] / "content-snapshot"
KIND_OF = {doctype.name: kind for kind, doctype in DOCUMENTS.items()}
FITS = {kind: jsonschema_rs.validator_for(schema_of(kind)).is_valid for kind in DOCUMENTS}
VALUES: tuple[Any, ...] = (
    *([], {}, 1, -7, 1.5, True, None, "", "text", "a\nb", [None], [{}], {"a": [1]}),
    *("2026-12-31", "2026-12-31\n", "2026-13-01", "2026-1-1"),
)


def read(document: Document, *, orphan: bool) -> Any:
    """Return a document's canonical file as a YAML reader gives it."""
    return read_file("x.yaml", render(document, orphan=orphan).encode()).mapping


def test_every_document_of_this_repository_fits() -> None:
    seen = set()
    for path in sorted(SNAPSHOT.rglob("*.yaml")):
        name = path.relative_to(SNAPSHOT).as_posix()
        place = place_of(name)
        assert place
        kind = KIND_OF[place.doctype]
        seen.add(kind)
        assert (name, validator(kind)(read_file(name, path.read_bytes()).mapping)) == (name, [])
    assert seen == set(DOCUMENTS)


@given(documents(), st.booleans())
def test_every_document_fits_whatever_its_names_texts_and_extra_fields(
    document: Document, orphan: bool
) -> None:
    mapping = read(document, orphan=orphan)
    assert validator(KIND_OF[document.doctype])(mapping) == []


@given(st.data())
@settings(max_examples=40)
def test_every_random_school_fits(data: st.DataObject) -> None:
    school = data.draw(curricula())
    for document in (*school, data.draw(plans(school))):
        mapping = read(document, orphan=False)
        assert validator(KIND_OF[document.doctype])(mapping) == []


@given(documents(), st.data())
def test_what_fits_has_no_fault(document: Document, data: st.DataObject) -> None:
    """Whatever is changed in a file: where the schema takes it, so does the exporter.

    But for what JSON cannot tell apart or hold against a calendar: 1.0 for 1, and 31 February.
    """
    mapping, fits = read(document, orphan=True), FITS[KIND_OF[document.doctype]]
    holder, place = mapping, data.draw(st.sampled_from(sorted(places(mapping), key=repr)))
    for step in place[:-1]:
        holder = holder[step]
    for value in VALUES:
        holder[place[-1]] = value
        if fits(mapping):
            assert parse_mapping(document.type, mapping, None, EXTRA)[1] == ()


def places(mapping: dict[str, Any]) -> list[tuple[str | int, ...]]:
    """Return the places of a document's fields, those of its rows included."""
    found: list[tuple[str | int, ...]] = [(key,) for key in mapping]
    for table, rows in mapping.items():
        if isinstance(rows, list):
            found += ((table, i, key) for i, row in enumerate(rows) for key in row)
    return found


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_a_wrong_value_in_any_field_is_refused(kind: str) -> None:
    doctype, whole = DOCUMENTS[kind], schema_of(kind)["examples"][0]
    for column in doctype.fields:
        wrong: Any = 1 if column.type in (FieldType.TEXT, FieldType.DATE) else "text"
        (violation,) = validator(kind)({**whole, column.name: wrong})
        assert violation.pointer == (column.name,)
        assert refuses(doctype, {**whole, column.name: wrong})
    for table in doctype.children:
        for rows in ("text", ["text"], [{"unknown": 1}]):
            assert validator(kind)({**whole, table.field: rows}) != []
            assert refuses(doctype, {**whole, table.field: rows})


def refuses(doctype: DocType, mapping: dict[str, Any]) -> bool:
    return parse_mapping(doctype, mapping, None, ())[1] != ()


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_a_document_has_a_name_and_says_whether_it_is_published(kind: str) -> None:
    whole = schema_of(kind)["examples"][0]
    for key in {"name", "is_published"} & whole.keys():
        rest = {name: value for name, value in whole.items() if name != key}
        assert [one.message for one in validator(kind)(rest)] == [f"{key!r} is a required property"]


def test_a_stage_has_its_config_or_the_text_of_it() -> None:
    whole = schema_of("snapshot-lesson")["examples"][0]
    stage = {key: value for key, value in whole["stages"][0].items() if key != "config"}
    check = validator("snapshot-lesson")
    assert check({**whole, "stages": [{**stage, "config_text": "[1]"}]}) == []
    assert check({**whole, "stages": [{**stage, "config": {}, "config_text": "[1]"}]}) != []


def test_the_sites_own_fields_are_plain_values() -> None:
    whole = schema_of("snapshot-topic")["examples"][0]
    check = validator("snapshot-topic")
    assert check({**whole, "difficulty": 3, "note": "new", "ratio": 0.5, "reviewed": True}) == []
    wrongs: tuple[Any, ...] = ([], {}, None)
    for wrong in wrongs:
        assert check({**whole, "difficulty": wrong}) != []


def test_properties_stand_in_canonical_order() -> None:
    for doctype in DOCTYPES.values():
        fields = [column.name for column in doctype.fields]
        tables = [table.field for table in doctype.children]
        assert list(schema_of(KIND_OF[doctype.name])["properties"]) == ["name", *fields, *tables]
