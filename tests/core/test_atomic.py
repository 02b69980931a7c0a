"""The files of the layout `atomic`, whole, for one small school with everything in it (spec 4)."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from exporter.build.encoding import encode, with_stamp
from exporter.build.schemas import validator
from exporter.core.access import view_plan
from exporter.core.artifacts import Body, Draft, Kind, Rules, url_of
from exporter.core.atomic import PlanFiles, lesson_draft
from exporter.core.blocks import is_colour
from exporter.core.keys import PlanKeys, SharedKeys, lesson_keys, plan_keys
from exporter.core.layouts import plan_drafts
from exporter.core.model import GRADE, PLAN, SEASON, Document, Row
from exporter.core.tree import grow
from tests.core.school import (
    document,
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

RULES = Rules(files_base_url="https://files.example.org/")

OVERRIDES: list[Row] = [
    override(subject(), "Rename", "العلوم"),
    override(track(), "Rename", "Track in the plan"),
    override(unit(), "Rename", "Unit in the plan"),
    override(topic("a/b"), "Rename", "Topic in the plan"),
    override(lesson("درس ١"), "Rename", "Lesson in the plan"),
    override(track(), "Set Sold Separately", "BOOK"),
    override(topic("a/b"), "Set Linear", "no"),
    override(lesson("L"), "Set Free"),
    override(lesson("HIDDEN"), "Hide"),
]

EVERYTHING = school(
    plan("PLAN 1", ["S", "EMPTY"], OVERRIDES, season="2026", grade="12", stream="GONE", level="B2"),
    document(SEASON, "2026", {"title": "2025/2026"}),
    document(GRADE, "12", {"title": "الصف 12"}),
    subject(
        description="All of it.",
        image="/files/s.png",
        color_code="#1E88E5",
        is_public=True,
        required_item="",
        is_linear=False,
        hours=2.5,
    ),
    subject("EMPTY", color_code="blue", image="https://img.example.org/e.png"),
    track(description="First.", image="files/t.png", parent_item_required=True, code=7),
    unit(
        description="Begin.", image="//img.example.org/u.png", badge_image="/files/b.png", tag="u"
    ),
    topic("a/b", description="Here.", image="data:image/png;base64,AA", draft=False),
    lesson(
        "درس ١",
        "a/b",
        bit_index=3,
        description="سطر\nسطر",
        image="/files/l.png",
        difficulty="hard",
        stages=[
            stage("Video", {"url": "u", "Z": {"b": 1, "a": None}, "B": [1.5, ""]}, weight=0.5),
            stage("Text", is_skippable=True),
        ],
    ),
    lesson("L", "a/b", bit_index=0, sort_order=1),
    lesson("HIDDEN", "a/b", bit_index=9),
    topic("DRAFT", is_published=False),
    lesson("UNSEEN", "DRAFT", bit_index=10),
)

PAID = {
    "is_published": True,
    "access_level": "paid",
    "required_item": "BOOK",
    "is_sold_separately": True,
    "parent_item_required": False,
}
PUBLIC = {
    "is_published": True,
    "access_level": "public",
    "is_sold_separately": False,
    "parent_item_required": False,
}
STAMP = {"version": 0, "generated_at": ""}

HIERARCHY = {
    "id": "S",
    "title": "العلوم",
    "description": "All of it.",
    "image": "https://files.example.org/files/s.png",
    "color_code": "#1E88E5",
    "is_linear": False,
    **STAMP,
    "access": PUBLIC,
    "tracks": [
        {
            "id": "T",
            "title": "Track in the plan",
            "description": "First.",
            "image": "https://files.example.org/files/t.png",
            "is_linear": True,
            "access": PAID,
            "units": [
                {
                    "id": "U",
                    "title": "Unit in the plan",
                    "description": "Begin.",
                    "image": "//img.example.org/u.png",
                    "badge_image": "https://files.example.org/files/b.png",
                    "is_linear": True,
                    "access": PAID,
                    "topics": [
                        {
                            "id": "a/b",
                            "title": "Topic in the plan",
                            "description": "Here.",
                            "image": "data:image/png;base64,AA",
                            "is_linear": False,
                            "topic_url": "plans/PLAN%201/a%252Fb.json?v=7",
                            "access": PAID,
                            "lesson_count": 2,
                            "extra": {"draft": False},
                        }
                    ],
                    "extra": {"tag": "u"},
                }
            ],
            "extra": {"code": 7},
        }
    ],
    "stats": {"total_tracks": 1, "total_units": 1, "total_topics": 1, "total_lessons": 2},
    "extra": {"hours": 2.5},
}

EMPTY_ACCESS = {
    "is_published": True,
    "access_level": "authenticated",
    "is_sold_separately": False,
    "parent_item_required": False,
}

GOLDEN: dict[str, tuple[Kind, dict[str, Any]]] = {
    "plans/PLAN 1/a%2Fb.json": (
        Kind.TOPIC,
        {
            "id": "a/b",
            "title": "Topic in the plan",
            "description": "Here.",
            "image": "data:image/png;base64,AA",
            "is_linear": False,
            **STAMP,
            "parent": {
                "unit_id": "U",
                "unit_title": "Unit in the plan",
                "track_id": "T",
                "track_title": "Track in the plan",
                "subject_id": "S",
                "subject_title": "العلوم",
            },
            "access": PAID,
            "lessons": [
                {
                    "id": "درس ١",
                    "title": "Lesson in the plan",
                    "description": "سطر\nسطر",
                    "image": "https://files.example.org/files/l.png",
                    "bit_index": 3,
                    "lesson_url": "lessons/%D8%AF%D8%B1%D8%B3%20%D9%A1.json?v=7",
                    "access": PAID,
                    "stage_count": 2,
                },
                {
                    "id": "L",
                    "title": "The L",
                    "bit_index": 0,
                    "lesson_url": "lessons/L.json?v=7",
                    "access": {
                        "is_published": True,
                        "access_level": "free_preview",
                        "is_sold_separately": True,
                        "parent_item_required": False,
                    },
                    "stage_count": 0,
                },
            ],
            "extra": {"draft": False},
        },
    ),
    "plans/PLAN 1/S_b.json": (
        Kind.BITMAP,
        {
            "subject_id": "S",
            **STAMP,
            "total_lessons": 2,
            "bit_length": 4,
            "mappings": {
                "درس ١": {"bit_index": 3, "topic_id": "a/b"},
                "L": {"bit_index": 0, "topic_id": "a/b"},
            },
        },
    ),
    "plans/PLAN 1/EMPTY_b.json": (
        Kind.BITMAP,
        {"subject_id": "EMPTY", **STAMP, "total_lessons": 0, "bit_length": 0, "mappings": {}},
    ),
    "plans/PLAN 1/S_h.json": (Kind.HIERARCHY, HIERARCHY),
    "plans/PLAN 1/EMPTY_h.json": (
        Kind.HIERARCHY,
        {
            "id": "EMPTY",
            "title": "The EMPTY",
            "image": "https://img.example.org/e.png",
            "is_linear": True,
            **STAMP,
            "access": EMPTY_ACCESS,
            "tracks": [],
            "stats": {"total_tracks": 0, "total_units": 0, "total_topics": 0, "total_lessons": 0},
        },
    ),
    "plans/PLAN 1/search_index.json": (
        Kind.SEARCH_INDEX,
        {
            "plan_id": "PLAN 1",
            **STAMP,
            "total_lessons": 2,
            "is_sharded": False,
            "entries": [
                {
                    "lesson_id": lesson_id,
                    "lesson_name": name,
                    "subject_id": "S",
                    "subject_name": "العلوم",
                    "unit_id": "U",
                    "unit_name": "Unit in the plan",
                    "topic_id": "a/b",
                    "topic_name": "Topic in the plan",
                }
                for lesson_id, name in (("درس ١", "Lesson in the plan"), ("L", "The L"))
            ],
        },
    ),
    "plans/PLAN 1/manifest.json": (
        Kind.MANIFEST,
        {
            "plan_id": "PLAN 1",
            "title": "The PLAN 1",
            "season": "2025/2026",
            "grade": "الصف 12",
            "stream": "GONE",
            **STAMP,
            "subjects": [
                {
                    "id": "S",
                    "title": "العلوم",
                    "description": "All of it.",
                    "image": "https://files.example.org/files/s.png",
                    "color_code": "#1E88E5",
                    "is_linear": False,
                    "hierarchy_url": "plans/PLAN%201/S_h.json?v=7",
                    "bitmap_url": "plans/PLAN%201/S_b.json?v=7",
                    "access": PUBLIC,
                },
                {
                    "id": "EMPTY",
                    "title": "The EMPTY",
                    "image": "https://img.example.org/e.png",
                    "is_linear": True,
                    "hierarchy_url": "plans/PLAN%201/EMPTY_h.json?v=7",
                    "bitmap_url": "plans/PLAN%201/EMPTY_b.json?v=7",
                    "access": EMPTY_ACCESS,
                },
            ],
            "search_index_url": "plans/PLAN%201/search_index.json?v=7",
            "extra": {"level": "B2"},
        },
    ),
}

LESSON_FILE = {
    "id": "درس ١",
    "title": "The درس ١",
    "description": "سطر\nسطر",
    "image": "https://files.example.org/files/l.png",
    **STAMP,
    "stages": [
        {
            "idx": 1,
            "title": "A Video",
            "type": "Video",
            "weight": 0.5,
            "target_time": 60,
            "is_skippable": False,
            "config": {"B": [1.5, ""], "Z": {"a": None, "b": 1}, "url": "u"},
        },
        {
            "idx": 2,
            "title": "A Text",
            "type": "Text",
            "weight": 1.0,
            "target_time": 60,
            "is_skippable": True,
            "config": {"text": "Read this."},
        },
    ],
    "navigation": {"is_standalone": True},
    "extra": {"difficulty": "hard"},
}


def files_of(plan_: Document, *documents: Document, rules: Rules = RULES) -> PlanFiles:
    snapshot = grow(documents)
    view = view_plan(snapshot, plan_, rules.default_access)
    names = [one.name for top in view.subjects for one in top.lessons()]
    return PlanFiles(snapshot, view, plan_keys(snapshot, view), lesson_keys(names), rules)


def everything() -> PlanFiles:
    return files_of(next(one for one in EVERYTHING if one.name == "PLAN 1"), *EVERYTHING)


def body(draft: Draft, rules: Rules = RULES) -> Body:
    return draft.make(lambda key, *, versioned=True: url_of(key, 7 if versioned else None, rules))


def written(payload: object) -> str:
    """Return the payload as text, in which the order of keys shows."""
    return json.dumps(payload, ensure_ascii=False, indent=1)


def test_a_plans_files_are_made_phase_by_phase() -> None:
    drafts = list(plan_drafts(everything()))
    assert [(draft.key, draft.kind) for draft in drafts] == [
        (key, kind) for key, (kind, _) in GOLDEN.items()
    ]
    phases = [draft.kind.phase for draft in drafts]
    assert phases == sorted(phases)


@pytest.mark.parametrize("key", GOLDEN)
def test_a_file_of_the_plan_is_the_golden_one_to_the_order_of_its_keys(key: str) -> None:
    (draft,) = [draft for draft in plan_drafts(everything()) if draft.key == key]
    assert written(body(draft)) == written(GOLDEN[key][1])


def test_the_lesson_file_keeps_its_own_title_and_knows_no_plan() -> None:
    made = next(one for one in EVERYTHING if one.name == "درس ١")
    draft = lesson_draft(made, SharedKeys({}), RULES)
    assert (draft.key, draft.kind) == ("lessons/درس ١.json", Kind.LESSON)
    assert written(body(draft)) == written(LESSON_FILE)


def test_every_file_fits_its_schema() -> None:
    files = everything()
    lessons = [one for one in EVERYTHING if one.doctype == "Memora Lesson"]
    drafts = [
        *plan_drafts(files),
        *(lesson_draft(one, files.lessons, RULES) for one in lessons),
    ]
    for draft in drafts:
        payload = json.loads(encode(with_stamp(body(draft), 1_795_249_241)))
        assert validator(draft.kind.value)(payload) == []


def test_every_file_is_linked_by_one_of_a_later_phase_but_for_the_manifest() -> None:
    files = everything()
    phases = {draft.key: draft.kind.phase for draft in plan_drafts(files)}
    phases |= {files.lessons.key(name): Kind.LESSON.phase for name in ("درس ١", "L")}
    links = [
        (draft, unquote(url))
        for draft in plan_drafts(files)
        for url in re.findall(r'"([^"]*)\?v=7"', json.dumps(body(draft)))
    ]
    assert all(phases[key] < draft.kind.phase for draft, key in links)
    assert sorted(key for _, key in links) == sorted(phases.keys() - {files.keys.manifest})


def test_optional_keys_are_left_out_where_they_are_empty() -> None:
    drafts = {draft.key: body(draft, Rules()) for draft in plan_drafts(files_of(plan(), *school()))}
    manifest, hierarchy = drafts["plans/PLAN/manifest.json"], drafts["plans/PLAN/S_h.json"]
    assert list(manifest) == [
        *("plan_id", "title", "version", "generated_at", "subjects", "search_index_url"),
    ]
    assert list(hierarchy) == [
        *("id", "title", "is_linear", "version", "generated_at", "access", "tracks", "stats"),
    ]
    draft = lesson_draft(lesson(), SharedKeys({}), Rules())
    assert written(body(draft)) == written(
        {
            "id": "L",
            "title": "The L",
            **STAMP,
            "stages": [],
            "navigation": {"is_standalone": True},
        }
    )


def test_links_leave_the_version_off_where_configured() -> None:
    rules = Rules(version_links=False)
    manifest = [
        body(draft, rules) for draft in plan_drafts(files_of(plan(), *school(), rules=rules))
    ][-1]
    assert manifest["search_index_url"] == "plans/PLAN/search_index.json"


@pytest.mark.parametrize(
    ("base", "image", "url"),
    [
        (None, "/files/a b.png", "/files/a b.png"),
        ("https://f.example.org", "/files/a.png", "https://f.example.org/files/a.png"),
        ("https://f.example.org/x/", "files/a.png", "https://f.example.org/x/files/a.png"),
        ("https://f.example.org", "http://i.example.org/a.png", "http://i.example.org/a.png"),
        ("https://f.example.org", "//i.example.org/a.png", "//i.example.org/a.png"),
        ("https://f.example.org", "data:image/gif;base64,R0", "data:image/gif;base64,R0"),
    ],
)
def test_the_base_url_is_put_before_relative_images_only(
    base: str | None, image: str, url: str
) -> None:
    draft = lesson_draft(lesson(image=image), SharedKeys({}), Rules(files_base_url=base))
    assert body(draft)["image"] == url


@pytest.mark.parametrize(
    ("text", "fits"), [("#00ffAA", True), ("#00ffAA\n", False), ("00ffAA", False)]
)
def test_a_colour_is_a_hash_and_six_hexadecimal_digits(text: str, fits: bool) -> None:
    assert is_colour(text) is fits


def test_a_lesson_without_a_bit_counts_for_no_length() -> None:
    made = school(lesson(bit_index=-1))
    (bitmap,) = [
        body(one) for one in plan_drafts(files_of(plan(), *made)) if one.kind is Kind.BITMAP
    ]
    assert (bitmap["bit_length"], bitmap["total_lessons"]) == (0, 1)


def test_counts_are_of_what_the_plan_shows() -> None:
    more = (
        *(unit("U2"), unit("EMPTY")),
        *(topic("O2"), topic("O3", "U2"), topic("DRAFT", is_published=False)),
        *(lesson(f"L{number}", "O2", bit_index=number) for number in (1, 2)),
        *(lesson("L3", "O3", bit_index=3), lesson("L4", "O3", bit_index=4)),
        *(lesson("L5", "DRAFT", bit_index=5), lesson("L6", bit_index=6, is_published=False)),
    )
    drafts = list(plan_drafts(files_of(plan(), *school(*more))))
    (hierarchy,) = [body(draft) for draft in drafts if draft.kind is Kind.HIERARCHY]
    assert hierarchy["stats"] == {
        "total_tracks": 1,
        "total_units": 2,
        "total_topics": 3,
        "total_lessons": 5,
    }


def test_a_large_plan_lists_its_shards_with_their_lessons() -> None:
    big = [lesson(f"L{number}", title="x" * 60_000, bit_index=number) for number in range(3)]
    drafts = list(plan_drafts(files_of(plan(), *school(*big))))
    shards = [draft for draft in drafts if draft.kind is Kind.SEARCH_SHARD]
    assert [draft.key for draft in shards] == [
        "plans/PLAN/search/S.json",
        "plans/PLAN/search/_2/S.json",
        "plans/PLAN/search/_3/S.json",
    ]
    assert [(body(draft)["part"], body(draft)["parts"]) for draft in shards] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    (index,) = [body(draft) for draft in drafts if draft.kind is Kind.SEARCH_INDEX]
    urls = [draft.key for draft in shards]
    assert written(index) == written(
        {
            "plan_id": "PLAN",
            **STAMP,
            "total_lessons": 4,
            "is_sharded": True,
            "shards": [
                {
                    "subject_id": "S",
                    "subject_name": "The S",
                    "url": f"{url}?v=7",
                    "lesson_count": count,
                }
                for url, count in zip(urls, (2, 1, 1), strict=True)
            ],
        }
    )


# Keys


def test_keys_are_segments_of_names() -> None:
    keys = everything().keys
    assert isinstance(keys, PlanKeys)
    assert (keys.folder, keys.clashes) == ("plans/PLAN 1", ())
    assert keys.shard("S", 1) == "plans/PLAN 1/search/S.json"
    assert keys.shard("S", 2) == "plans/PLAN 1/search/_2/S.json"


def test_the_later_of_two_lessons_that_clash_has_the_cut_key() -> None:
    keys = lesson_keys(["l", "L"])
    assert keys.key("L") == "lessons/L.json"
    assert keys.key("l").startswith("lessons/l~")
    assert keys.key("other/") == "lessons/other%2F.json"


def test_two_plans_that_clash_have_the_folders_of_their_files() -> None:
    documents = school(plan("plan"))
    folders = {
        one.name: files_of(one, *documents).keys.folder for one in documents if one.doctype == PLAN
    }
    assert folders["PLAN"] == "plans/PLAN"
    assert folders["plan"].startswith("plans/plan~")
