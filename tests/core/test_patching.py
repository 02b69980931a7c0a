"""An edit of one file against assembling everything anew: the same answer, or none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.files import to_mapping
from exporter.core.loading import Loaded, ParsedFile, assemble
from exporter.core.model import Json
from exporter.core.patching import with_edited
from exporter.core.tree import grow
from tests.core.school import lesson, school, stage

SCHOOL = grow(school(lesson("L2"), lesson("L3", stages=[stage("Text", {"text": "words"})])))
Files = dict[str, dict[str, Json]]


def files() -> Files:
    """Return the mappings of the school's files by path."""
    documents = SCHOOL.documents
    return {
        path: to_mapping(documents[ref], orphan=False)  # type: ignore[misc]
        for ref, path in SCHOOL.paths.items()
    }


def loaded(found: Files) -> Loaded:
    return assemble([ParsedFile(path, mapping) for path, mapping in found.items()], {})


PATHS = sorted(files())
VALUES: st.SearchStrategy[Json] = st.sampled_from(
    ["", "words", "L3", "O", 0, 7, -1, True, False, None, [], {}, "2026-01-01", 1.5]
)
KEYS = ["name", "title", "is_published", "sort_order", "parent_topic", "stages", "subjects", "new"]


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(KEYS), VALUES), max_size=4))
def test_an_edit_is_told_as_assembling_anew_tells_it_or_not_at_all(
    edits: list[tuple[str, str, Json]],
) -> None:
    now, known = files(), loaded(files())
    for path, key, value in edits:
        now[path] = {**now[path], key: value}
        patched = with_edited(known, ParsedFile(path, now[path]), {})
        anew = loaded(now)
        assert patched in (None, anew)
        known = anew


def test_another_title_and_another_place_among_siblings_need_no_assembling() -> None:
    now, known = files(), loaded(files())
    path = next(path for path in PATHS if path.endswith("/L2.yaml"))
    now[path] = {**now[path], "title": "Another", "sort_order": 9}
    patched = with_edited(known, ParsedFile(path, now[path]), {})
    assert patched == loaded(now)
    assert patched != known


def test_another_name_a_fault_or_a_new_file_needs_assembling() -> None:
    now, known = files(), loaded(files())
    path = next(path for path in PATHS if path.endswith("/L2.yaml"))
    changes: list[dict[str, Json]] = [{"name": "X"}, {"is_published": "maybe"}, {"typo": 1}]
    for change in changes:
        assert with_edited(known, ParsedFile(path, {**now[path], **change}), {}) is None
    assert with_edited(known, ParsedFile("plans/NEW.yaml", now[path]), {}) is None
    assert with_edited(known, ParsedFile(path, None, "not YAML", 1), {}) is None
