"""The files of the layout `monolithic`, whole, for a school with everything in it (spec 4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.core.model import Document, Row
from tests.build.contents import BOTH, MONOLITHIC, TIME, Made, content_of, files_of, make
from tests.core.school import (
    lesson,
    override,
    plan,
    school,
    stage,
    subject,
    topic,
    track,
    unit,
)

STAMP = {"version": TIME, "generated_at": "2026-11-21T08:20:41Z"}
RENAMED = [
    override(subject(), "Rename", "العلوم"),
    override(unit(), "Rename", "Unit in the plan"),
    override(track(), "Set Sold Separately", "BOOK"),
    override(lesson("L3"), "Hide"),
]
EVERYTHING = school(
    plan(subjects=["EMPTY", "S"], overrides=RENAMED),
    plan("OTHER", overrides=[override(lesson("L1"), "Hide")]),
    subject("EMPTY"),
    subject(
        description="All.", image="/s.png", color_code="#1E88E5", required_item="ITEM", hours=2.5
    ),
    track(description="First.", image="/t.png", parent_item_required=True, sort_order=3, code=7),
    unit(description="Begin.", image="/u.png", badge_image="/b.png", sort_order=4, tag="u"),
    topic(description="Here.", image="/o.png", sort_order=5, draft=False),
    lesson(
        "L1", description="One.", image="/l.png", sort_order=6, difficulty="hard", stages=[stage()]
    ),
    lesson("L2", bit_index=1, sort_order=7, is_free_preview=True),
    lesson("L3", bit_index=2, sort_order=8),
    lesson("L", bit_index=3, is_published=False),
    topic("DRAFT", is_published=False),
)
EXTRA = {
    "Memora Subject": ("hours",),
    "Memora Track": ("code",),
    "Memora Unit": ("tag",),
    "Memora Topic": ("draft",),
    "Memora Lesson": ("difficulty",),
}


def access(level: str, item: str = "", *, sold: bool = False, parent: bool = False) -> Any:
    items = {"required_item": item} if item else {}
    return {
        "is_published": True,
        "access_level": level,
        **items,
        "is_sold_separately": sold,
        "parent_item_required": parent,
    }


PAID = access("paid", "ITEM")
PAID_BELOW = access("paid", "ITEM", parent=True)
FREE_BELOW = access("free_preview", parent=True)
SOLD = access("paid", "BOOK", sold=True)
ABOVE_LESSON = {
    "topic_id": "O",
    "topic_title": "The O",
    "unit_id": "U",
    "unit_title": "The U",
    "track_id": "T",
    "track_title": "The T",
    "subject_id": "S",
    "subject_title": "The S",
}
GOLDEN: dict[str, Any] = {
    "plans/PLAN/subjects/S.json": {
        "id": "S",
        "title": "العلوم",
        "description": "All.",
        "color_code": "#1E88E5",
        "image": "/s.png",
        **STAMP,
        "access": PAID,
        "tracks": [
            {
                "id": "T",
                "title": "The T",
                "description": "First.",
                "image": "/t.png",
                "sort_order": 3,
                "access": SOLD,
                "units": [
                    {
                        "id": "U",
                        "title": "Unit in the plan",
                        "description": "Begin.",
                        "image": "/u.png",
                        "badge_image": "/b.png",
                        "sort_order": 4,
                        "url": f"units/U.json?v={TIME}",
                        "access": SOLD,
                        "topic_count": 1,
                        "lesson_count": 2,
                    }
                ],
                "extra": {"code": 7},
            }
        ],
        "stats": {"total_units": 1, "total_topics": 1, "total_lessons": 2},
        "extra": {"hours": 2.5},
    },
    "plans/PLAN/subjects/EMPTY.json": {
        "id": "EMPTY",
        "title": "The EMPTY",
        **STAMP,
        "access": access("authenticated"),
        "tracks": [],
        "stats": {"total_units": 0, "total_topics": 0, "total_lessons": 0},
    },
    "units/U.json": {
        "id": "U",
        "title": "The U",
        "description": "Begin.",
        "image": "/u.png",
        "badge_image": "/b.png",
        "sort_order": 4,
        **STAMP,
        "access": PAID_BELOW,
        "parent": {
            "track_id": "T",
            "track_title": "The T",
            "subject_id": "S",
            "subject_title": "The S",
        },
        "topics": [
            {
                "id": "O",
                "title": "The O",
                "description": "Here.",
                "image": "/o.png",
                "sort_order": 5,
                "access": PAID_BELOW,
                "lessons": [
                    {
                        "id": "L1",
                        "title": "The L1",
                        "description": "One.",
                        "image": "/l.png",
                        "sort_order": 6,
                        "url": f"lessons/L1.json?v={TIME}",
                        "access": PAID_BELOW,
                        "stage_count": 1,
                    },
                    {
                        "id": "L2",
                        "title": "The L2",
                        "sort_order": 7,
                        "url": f"lessons/L2.json?v={TIME}",
                        "access": FREE_BELOW,
                        "stage_count": 0,
                    },
                    {
                        "id": "L3",
                        "title": "The L3",
                        "sort_order": 8,
                        "url": f"lessons/L3.json?v={TIME}",
                        "access": PAID_BELOW,
                        "stage_count": 0,
                    },
                ],
                "extra": {"draft": False},
            }
        ],
        "stats": {"total_topics": 1, "total_lessons": 3},
        "extra": {"tag": "u"},
    },
    "lessons/L1.json": {
        "id": "L1",
        "title": "The L1",
        "description": "One.",
        "image": "/l.png",
        **STAMP,
        "stages": [
            {
                "idx": 1,
                "title": "A Text",
                "type": "Text",
                "weight": 1.0,
                "target_time": 60,
                "is_skippable": False,
                "config": {"text": "Read this."},
            }
        ],
        "navigation": {
            "is_standalone": True,
            "next_lesson": {"id": "L2", "title": "The L2", "url": "lessons/L2.json"},
        },
        "access": PAID_BELOW,
        "parent": ABOVE_LESSON,
        "extra": {"difficulty": "hard"},
    },
    "lessons/L2.json": {
        "id": "L2",
        "title": "The L2",
        **STAMP,
        "stages": [],
        "navigation": {
            "is_standalone": True,
            "previous_lesson": {"id": "L1", "title": "The L1", "url": "lessons/L1.json"},
            "next_lesson": {"id": "L3", "title": "The L3", "url": "lessons/L3.json"},
        },
        "access": FREE_BELOW,
        "parent": ABOVE_LESSON,
    },
    "lessons/L3.json": {
        "id": "L3",
        "title": "The L3",
        **STAMP,
        "stages": [],
        "navigation": {
            "is_standalone": True,
            "previous_lesson": {"id": "L2", "title": "The L2", "url": "lessons/L2.json"},
        },
        "access": PAID_BELOW,
        "parent": ABOVE_LESSON,
    },
}
SUBJECT_ENTRY = {
    "id": "S",
    "title": "العلوم",
    "description": "All.",
    "image": "/s.png",
    "color_code": "#1E88E5",
    "is_linear": True,
    "hierarchy_url": f"plans/PLAN/S_h.json?v={TIME}",
    "bitmap_url": f"plans/PLAN/S_b.json?v={TIME}",
    "access": PAID,
    "sort_order": 1,
    "url": f"plans/PLAN/subjects/S.json?v={TIME}",
}
ALONE = {
    *("plans/PLAN/manifest.json", "plans/PLAN/search_index.json"),
    *("plans/OTHER/manifest.json", "plans/OTHER/search_index.json"),
    *("plans/OTHER/subjects/S.json", *GOLDEN),
}


def made(rules: CheckRules, *documents: Document, plans: set[str] | None = None) -> Made:
    return make(content_of(files_of(*documents), EXTRA), rules, plans)


def written(payload: object) -> str:
    """Return the payload as text, in which the order of keys shows."""
    return json.dumps(payload, ensure_ascii=False, indent=1)


@pytest.mark.parametrize("rules", [MONOLITHIC, BOTH])
@pytest.mark.parametrize("key", GOLDEN)
def test_a_file_is_the_golden_one_to_the_order_of_its_keys(key: str, rules: CheckRules) -> None:
    assert written(made(rules, *EVERYTHING).bodies[key]) == written(GOLDEN[key])


def test_alone_there_are_no_files_of_the_atomic_layout() -> None:
    bodies = made(MONOLITHIC, *EVERYTHING).bodies
    assert bodies.keys() == ALONE
    entry = bodies["plans/PLAN/manifest.json"]["subjects"][1]
    wanted = {k: v for k, v in SUBJECT_ENTRY.items() if k not in ("hierarchy_url", "bitmap_url")}
    assert written(entry) == written(wanted)


def test_together_both_layouts_have_their_files_and_share_manifest_search_and_lessons() -> None:
    bodies = made(BOTH, *EVERYTHING).bodies
    atomic = made(CheckRules(), *EVERYTHING).bodies
    assert bodies.keys() == ALONE | atomic.keys()
    assert written(bodies["plans/PLAN/manifest.json"]["subjects"][1]) == written(SUBJECT_ENTRY)
    shared = {key for key in atomic if key.startswith("lessons/") or key.endswith("manifest.json")}
    assert {key: bodies[key] for key in atomic.keys() - shared} == {
        key: atomic[key] for key in atomic.keys() - shared
    }


def test_a_row_gives_the_manifests_order_and_a_subject_listed_twice_counts_once() -> None:
    rows: dict[str, tuple[Row, ...]] = {
        "subjects": ({"subject": "S", "sort_order": 9}, {"subject": "S", "sort_order": 2})
    }
    twice = plan(subjects=())
    listed = Document(twice.doctype, twice.name, twice.fields, rows)
    lowered = CheckRules(MONOLITHIC.rules, type(MONOLITHIC.severities)({"E111": "warning"}))
    (entry,) = made(lowered, *school(listed)).bodies["plans/PLAN/manifest.json"]["subjects"]
    assert entry["sort_order"] == 2


def test_a_topic_named_like_a_plans_own_file_is_no_clash_without_topic_files() -> None:
    documents = school(topic("manifest"), lesson("L2", "manifest", bit_index=1))
    assert made(MONOLITHIC, *documents).codes == []
    assert made(BOTH, *documents).codes == ["E106"]


def test_units_that_clash_in_their_shared_folder_are_named() -> None:
    documents = school(
        track("T2"), unit("u", "T2"), topic("O2", "u"), lesson("L2", "O2", bit_index=1)
    )
    assert made(CheckRules(), *documents).codes == []
    assert made(MONOLITHIC, *documents).codes == ["E107", "E107"]


# Who shows what is shared


def test_a_unit_shows_what_at_least_one_published_plan_shows() -> None:
    hides = [override(lesson(), "Hide")]
    documents = school(plan(overrides=hides), lesson("L2", bit_index=1))
    alone = made(MONOLITHIC, *documents)
    assert _listed(alone) == ["L2"]
    assert "lessons/L.json" not in alone.files
    both = made(MONOLITHIC, *documents, plan("OTHER"))
    assert _listed(both) == ["L", "L2"]
    draft = made(MONOLITHIC, *documents, plan("OTHER", is_published=False))
    assert _listed(draft) == ["L2"]


def test_building_one_plan_gives_the_same_shared_files_as_building_all() -> None:
    hides = [override(lesson(), "Hide")]
    documents = school(plan(overrides=hides), lesson("L2", bit_index=1), plan("OTHER"))
    whole = made(MONOLITHIC, *documents)
    part = made(MONOLITHIC, *documents, plans={"PLAN"})
    assert part.built.plans.keys() == {"PLAN"}
    assert part.files == {
        key: data for key, data in whole.files.items() if not key.startswith("plans/OTHER/")
    }


def test_what_only_a_held_plan_shows_is_in_no_shared_file() -> None:
    bad = [override(unit(), "Give")]
    hides = [override(lesson(), "Hide")]
    documents = school(plan("BAD", overrides=bad), plan(overrides=hides), lesson("L2", bit_index=1))
    for plans in (None, {"PLAN"}):
        some = made(MONOLITHIC, *documents, plans=plans)
        assert _listed(some) == ["L2"]
        assert "lessons/L.json" not in some.files


def test_a_lesson_that_cannot_be_published_is_listed_nowhere_and_holds_who_shows_it() -> None:
    wrong = lesson(stages=[{**stage(), "type": "Poster"}])
    hides = plan("HIDES", overrides=[override(lesson(), "Hide")])
    documents = school(wrong, hides, lesson("L2", bit_index=1))
    some = made(MONOLITHIC, *documents)
    assert some.built.plans.keys() == {"HIDES"}
    assert _listed(some) == ["L2"]
    (found,) = some.built.findings
    assert (found.code, found.pointer, found.plans) == ("E112", ("stages", 0, "type"), ("PLAN",))
    assert found.line == 9


def test_a_paid_unit_without_an_item_of_its_own_is_still_published() -> None:
    """Every plan gives it away; what the content alone says has no item to name."""
    documents = school(
        plan(overrides=[override(track(), "Set Free")]), track(is_sold_separately=True)
    )
    some = made(MONOLITHIC, *documents)
    assert some.codes == []
    assert some.bodies["units/U.json"]["access"] == access("paid", sold=True)


def _listed(some: Made) -> list[str]:
    (one,) = some.bodies["units/U.json"]["topics"]
    return [entry["id"] for entry in one["lessons"]]


@pytest.mark.parametrize("layouts", [("monolithic",), ("atomic", "monolithic")])
def test_every_link_leads_to_a_file_and_every_file_is_led_to(layouts: tuple[str, ...]) -> None:
    some = made(CheckRules(Rules(layouts=layouts)), *EVERYTHING)
    entries = {
        **some.built.lessons,
        **{k: e for i in some.built.plans.values() for k, e in i.items()},
    }
    linked = {link for entry in entries.values() for link in entry.links}
    manifests = {key for key in entries if key.endswith("/manifest.json")}
    assert linked | manifests == entries.keys() == some.files.keys()
