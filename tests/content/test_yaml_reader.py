"""A file's name and title by its first lines: never others than the whole file gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.content.yaml_reader import name_in, read_file, title_in
from exporter.core.model import Json
from exporter.core.yamltext import emit

PATH = "subjects/S/_subject.yaml"


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_canonical_file_begins_with_its_name(name: str, title: str) -> None:
    data = emit({"name": name, "title": title}).encode()
    assert name_in(data) == name or (name_in(data) is None and b"\n" in name.encode())
    assert name_in(emit({"name": name}).encode()) in (name, None)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), st.booleans())
def test_its_title_comes_next(name: str, title: str, more: bool) -> None:
    fields: dict[str, Json] = {"name": name, "title": title}
    data = emit({**fields, "image": "x"} if more else fields).encode()
    assert title_in(data) == title or (title_in(data) is None and b"\n" in (name + title).encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name: A",
        "name: A\n  B\ntitle: T\n",
        "name: A\n\n  B\n",
        "name: 'A\n  B'\n",
        "name: |\n  A\n",
        "name: >-\n  A\n",
        "name:\n  A\n",
        "name: yes\ntitle: T\n",
        "name: 12\n",
        "name: A # not B\ntitle: T\n",
        "# by hand\nname: A\n",
        "title: T\nname: A\n",
        '"name": A\ntitle: T\n',
        "name: {A: B}\ntitle: T\n",
        "name: A\r\ntitle: T\r\n",
        "name: &x A\ntitle: T\n",
        "name: A\n# B\n",
        "name: A\n- B\n",
        "name: A\ntitle: T\n  U\n",
        "name: A\ntitle: T\n\n  U\n",
        "name: A\ntitle: 'T\n  U'\n",
        "name: A\ntitle: |\n  T\n",
        "name: A\ntitle: 12\nimage: x\n",
        "name: A\nimage: x\ntitle: T\n",
        "title: T\nname: A\nimage: x\n",
        "name: A\ntitle: T # not U\nimage: x\n",
    ],
)
def test_what_people_write_is_read_whole(text: str) -> None:
    mapping = read_file(PATH, text.encode()).mapping
    assert name_in(text.encode()) in (None, (mapping or {}).get("name"))
    assert title_in(text.encode()) in (None, (mapping or {}).get("title"))


def test_a_file_that_is_not_utf_8_has_no_name() -> None:
    data = b"name: \xff\ntitle: T\n"
    assert (name_in(data), title_in(data)) == (None, None)
