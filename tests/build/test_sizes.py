"""Content at its limits: every file valid, search within its bytes, memory bounded (spec 4)."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import pytest

from exporter.build.bench import Stamps
from exporter.build.builder import build
from exporter.build.inspection import CheckRules, inspect
from exporter.core.artifacts import Artifact, Kind, Rules
from exporter.core.model import Document
from exporter.core.search import MAX_FILE_BYTES
from tests.build.contents import TIME, content_of, files_of
from tests.core.school import lesson, plan, school, stage, subject, topic, track, unit

MANY = 5_000
SEARCH = (Kind.SEARCH_INDEX, Kind.SEARCH_SHARD)


def one_topic_of_many_lessons() -> Iterator[Document]:
    for bit in range(MANY):
        yield lesson(f"درس-{bit}", bit_index=bit, stages=[stage()], title=f"الدرس رقم {bit}")


def many_topics_of_one_lesson() -> Iterator[Document]:
    for bit in range(MANY):
        yield topic(f"O-{bit}", sort_order=bit)
        yield lesson(f"L-{bit}", f"O-{bit}", bit_index=bit, stages=[stage()])


def many_subjects() -> Iterator[Document]:
    names = [f"S-{number}" for number in range(60)]
    yield plan(subjects=names)
    for name in names:
        yield subject(name)
        yield track(f"{name}-T", name)
        yield unit(f"{name}-U", f"{name}-T")
        yield topic(f"{name}-O", f"{name}-U")
        for bit in range(20):
            yield lesson(f"{name}-L{bit}", f"{name}-O", bit_index=bit, stages=[stage()])


SHAPES = {
    "one topic of 5,000 lessons": (one_topic_of_many_lessons, MANY + 1),
    "5,000 topics of one lesson": (many_topics_of_one_lesson, MANY + 1),
    "a plan with 60 subjects": (many_subjects, 60 * 20),
}


@pytest.mark.parametrize("layouts", [("atomic",), ("atomic", "monolithic")])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_shape_is_built_whole_and_within_bounds(
    shape: str, layouts: tuple[str, ...]
) -> None:
    documents, lessons = SHAPES[shape]
    content = content_of(files_of(*school(lesson("L", bit_index=MANY), *documents())))
    rules = CheckRules(Rules(layouts=layouts))
    inspection = inspect(content, rules)
    assert inspection.findings == ()
    found: list[tuple[str, Kind, int]] = []
    entries: list[str] = []

    def sink(artifact: Artifact) -> None:
        found.append((artifact.key, artifact.kind, len(artifact.data)))
        if artifact.kind in SEARCH:
            body = json.loads(artifact.data)
            entries.extend(entry["lesson_id"] for entry in body.get("entries", ()))

    tracemalloc.start()
    built = build(inspection, rules, Stamps(lambda _key: None, TIME), sink)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (built.findings, list(built.plans)) == ((), ["PLAN"])
    assert {key for key, _, _ in found} == built.keys()
    assert max(size for _, kind, size in found if kind in SEARCH) <= MAX_FILE_BYTES
    assert len(entries) == len(set(entries)) == lessons
    largest = max(size for _, _, size in found)
    assert peak < 40 * largest + 40_000_000, "files are handed on as they are made, not kept"
