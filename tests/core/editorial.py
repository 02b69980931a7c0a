"""Real editorial changes of the demo school, by name: what reviewers of its pull requests see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from exporter.build.diffing import Side, diff_contents
from exporter.build.inspection import CheckRules
from exporter.content.reading import read_worktree
from exporter.core.diff_report import DiffReport
from exporter.core.model import LESSON, PLAN, SUBJECT, TOPIC, TRACK, UNIT, Document, Ref, Row, Value
from tests.build.contents import content_of, files_of

__all__ = ["CHANGES", "LONG_TEXT", "School", "report_of"]

ROOT = Path(__file__).parents[2]

SCIENCE, ARTS, BRIDGE = "GRADE-12-SCI-2026", "GRADE-12-LIT-2026", "GRADE-11-BRIDGE-2026"

LONG_TEXT = " ".join(
    f"Sentence {number} of the chapter says that a derivative measures how fast a value changes."
    for number in range(1, 23)
)
"""More than 300 words."""


class School:
    """The demo school's documents, and edits as editors make them."""

    def __init__(self, documents: Mapping[Ref, Document]) -> None:
        self.documents = dict(documents)

    def set(self, doctype: str, name: str, **fields: Value) -> None:
        """Change fields; an empty text clears one."""
        old = self.documents[doctype, name]
        changed = {**old.fields, **fields}
        order = [column.name for column in old.type.fields]
        kept = {key: changed[key] for key in order if changed.get(key, "") != ""}
        self.documents[old.ref] = replace(old, fields=kept)

    def rows(self, doctype: str, name: str, table: str, rows: list[Row]) -> None:
        """Change the rows of a child table."""
        old = self.documents[doctype, name]
        self.documents[old.ref] = replace(old, rows={**old.rows, table: tuple(rows)})

    def table(self, doctype: str, name: str, table: str) -> list[dict[str, Any]]:
        """Return the rows of a child table, to be changed."""
        return [_copy(row) for row in self.documents[doctype, name].rows.get(table, ())]

    def stages(self, lesson: str) -> list[dict[str, Any]]:
        return self.table(LESSON, lesson, "stages")

    def put_stages(self, lesson: str, stages: list[dict[str, Any]]) -> None:
        self.rows(LESSON, lesson, "stages", [dict(stage) for stage in stages])

    def override(self, plan: str, doctype: str, name: str, action: str, value: str = "") -> None:
        """Add an override row to a plan."""
        row: Row = {"target_doctype": doctype, "target_name": name, "action": action}
        whole: Row = {**row, "override_value": value} if value else row
        self.rows(PLAN, plan, "overrides", [*self.table(PLAN, plan, "overrides"), whole])

    def delete(self, doctype: str, name: str) -> None:
        """Delete a document and all below it."""
        gone = self.documents.pop((doctype, name))
        for one in list(self.documents.values()):
            if one.type.parent == gone.doctype and one.parent == name:
                self.delete(one.doctype, one.name)

    def add(self, document: Document) -> None:
        self.documents[document.ref] = document

    def copy(self, doctype: str, name: str, new: str, **fields: Value) -> None:
        """Add a copy of a document under another name."""
        self.documents[doctype, new] = replace(self.documents[doctype, name], name=new)
        self.set(doctype, new, **fields)

    def named(self, doctype: str, title: str) -> str:
        """Return the name of the one document of that title."""
        found = [one.name for one in self.documents.values() if one.title == title]
        names = [name for name in found if (doctype, name) in self.documents]
        assert len(names) == 1, names
        return names[0]

    def rename(self, doctype: str, old: str, new: str) -> None:
        """Rename as Frappe does: what links to the document follows."""
        document = self.documents.pop((doctype, old))
        self.documents[doctype, new] = replace(document, name=new)
        for one in list(self.documents.values()):
            if one.type.parent == doctype and one.parent == old:
                self.set(one.doctype, one.name, **{str(one.type.parent_field): new})
            if one.doctype == PLAN:
                for table in ("subjects", "overrides"):
                    followed = [
                        {key: new if value == old else value for key, value in row.items()}
                        for row in self.table(PLAN, one.name, table)
                    ]
                    self.rows(PLAN, one.name, table, [dict(row) for row in followed])


def physics_becomes_free(school: School) -> None:
    school.set(SUBJECT, "SUBJECT-PHYS", is_free_preview=True)


def mathematics_is_sold_as_another_item(school: School) -> None:
    school.set(SUBJECT, "SUBJECT-MATH", required_item="ITEM-MATH-2027")


def four_words_in_a_long_text(school: School) -> None:
    stages = school.stages("LESSON-MATH-003")
    text = stages[-1]["config"]["text"]
    fixed = text.replace("Sentence 12 of the chapter says", "Line twelve of this chapter says")
    stages[-1]["config"]["text"] = fixed.replace("Sentence 20 of", "Sentence 20 in")
    school.put_stages("LESSON-MATH-003", stages)


def arabic_wording(school: School) -> None:
    lesson = school.named(LESSON, "نائب الفاعل")
    school.set(LESSON, lesson, title="نائب الفاعل وأحكامه")
    stages = school.stages(lesson)
    for stage in stages:
        if "text" in stage["config"]:
            text = stage["config"]["text"]
            stage["config"]["text"] = text.replace("راجع إجابتك", "تحقّق من إجابتك جيدًا")
    stages[0]["title"] = "شاهد وتأمل"
    school.put_stages(lesson, stages)


def stages_dragged_and_added(school: School) -> None:
    stages = school.stages("LESSON-MATH-003")
    last = stages.pop()
    extra = {
        "title": "Warm up",
        "type": "Question",
        "config": {"question": "What is 2 + 2?", "options": ["3", "4"], "answer": "4"},
        "weight": 1.0,
        "target_time": 60,
        "is_skippable": False,
    }
    school.put_stages("LESSON-MATH-003", [last, extra, *stages])


def a_quiz_is_corrected(school: School) -> None:
    lesson = school.named(LESSON, "Action and reaction")
    stages = school.stages(lesson)
    config = stages[2]["config"]
    config["options"] = ["3 m/s²", "48 m/s²", "0.33 m/s²", "8 m/s²"]
    config["attempts"] = 3
    stages[1]["config"]["settings"]["pass_ratio"] = 0.8
    stages[1]["config"]["cards"].insert(0, {"box": "wrong", "text": "0.33 m/s²"})
    school.put_stages(lesson, stages)


def a_lesson_dragged_to_the_top(school: School) -> None:
    school.set(LESSON, "LESSON-COMP-025", sort_order=1)
    for number in ("022", "023", "024"):
        name = f"LESSON-COMP-{number}"
        order = school.documents[LESSON, name].integer("sort_order")
        school.set(LESSON, name, sort_order=order + 1)


def a_topic_moves_to_another_unit(school: School) -> None:
    school.set(TOPIC, "TOPIC-COMP-3", parent_unit="UNIT-COMP-2-1")


def a_topic_is_renamed_in_frappe(school: School) -> None:
    school.rename(TOPIC, "TOPIC-MATH-3", "TOPIC-MATH-DERIVATIVES")


def a_new_topic_with_lessons(school: School) -> None:
    school.copy(TOPIC, "TOPIC-MATH-4", "TOPIC-MATH-NEW", title="Related rates", sort_order=4500)
    for number, title in enumerate(("Ladders", "Balloons", "المخروط"), start=1):
        fields: dict[str, Value] = {
            "title": title,
            "parent_topic": "TOPIC-MATH-NEW",
            "sort_order": number,
            "bit_index": 900 + number,
        }
        school.copy(LESSON, "LESSON-MATH-004", f"LESSON-MATH-NEW-{number}", **fields)


def a_lesson_is_deleted(school: School) -> None:
    school.delete(LESSON, "LESSON-COMP-008")


def a_plan_hides_and_sells(school: School) -> None:
    school.override(BRIDGE, UNIT, "UNIT-COMP-1-1", "Hide")
    school.override(SCIENCE, TRACK, "TRACK-PHYS-2", "Set Sold Separately", "ITEM-PHYS-WAVES")
    school.override(ARTS, LESSON, "LESSON-MATH-004", "Rename", "الحد عند نقطة")


def a_plan_is_unpublished(school: School) -> None:
    school.set(PLAN, BRIDGE, is_published=False)


def a_plan_gets_a_subject(school: School) -> None:
    listed = school.table(PLAN, BRIDGE, "subjects")
    first: Row = {"subject": "SUBJECT-PHYS", "sort_order": 1}
    for row in listed:
        row["sort_order"] += 1
    school.rows(PLAN, BRIDGE, "subjects", [first, *(dict(row) for row in listed)])


def a_mistake_holds_a_plan_back(school: School) -> None:
    school.override(BRIDGE, UNIT, "UNIT-COMP-1-1", "Give away")


def hostile_titles(school: School) -> None:
    title = (
        "<img src=x onerror=alert(1)> **[click](https://evil.example)** @octocat #1 owner/repo#2"
    )
    school.set(LESSON, "LESSON-MATH-001", title=title)
    school.set(LESSON, "LESSON-MATH-003", title="a\u202egnp.exe `rm -rf` $x$ | :tada: GH-7")
    school.set(SUBJECT, "SUBJECT-ENGL", description="</details><script>1</script>\n# Head\n- item")


CHANGES: Mapping[str, Callable[[School], None]] = {
    change.__name__.replace("_", "-"): change
    for change in (
        physics_becomes_free,
        mathematics_is_sold_as_another_item,
        four_words_in_a_long_text,
        arabic_wording,
        stages_dragged_and_added,
        a_quiz_is_corrected,
        a_lesson_dragged_to_the_top,
        a_topic_moves_to_another_unit,
        a_topic_is_renamed_in_frappe,
        a_new_topic_with_lessons,
        a_lesson_is_deleted,
        a_plan_hides_and_sells,
        a_plan_is_unpublished,
        a_plan_gets_a_subject,
        a_mistake_holds_a_plan_back,
        hostile_titles,
    )
}


@cache
def demo_school() -> Mapping[Ref, Document]:
    """Return the demo school as this repository has it, with one lesson of a long text."""
    content = read_worktree(ROOT / "content-snapshot", {})
    school = School(content.loaded.snapshot.documents)
    stages = school.stages("LESSON-MATH-003")
    next(one for one in reversed(stages) if "text" in one["config"])["config"]["text"] = LONG_TEXT
    school.put_stages("LESSON-MATH-003", sorted(stages, key=lambda one: one["type"] == "Text"))
    return school.documents


def report_of(change: Callable[[School], None]) -> DiffReport:
    """Return what a change of the demo school is to its reviewers."""
    school = School(demo_school())
    change(school)
    before, after = (
        Side(content_of(files_of(*documents.values())), label)
        for documents, label in ((demo_school(), "main"), (school.documents, "this pull request"))
    )
    return diff_contents(before, after, CheckRules())


def _copy(value: Any) -> Any:
    """Copy rows and configs, which are dictionaries and lists, all the way down."""
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
