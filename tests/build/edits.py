"""Random edits of a small school with shared subjects, plans, drafts and mistakes.

An edit is a kind and three numbers, read modulo what there is to choose from, so that a sequence of
edits fits any state, and shrinks well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.core.findings import Severities
from exporter.core.model import (
    CURRICULUM,
    GRADE,
    LESSON,
    PLAN,
    SEASON,
    SUBJECT,
    TOPIC,
    TRACK,
    UNIT,
    Document,
    Ref,
    Row,
    Value,
)
from tests.build.contents import files_of
from tests.core.school import document, lesson, override, plan, stage, subject, topic, track, unit

__all__ = ["Edit", "State", "apply", "edits", "first_state"]

Edit = tuple[str, int, int, int]


@dataclass(frozen=True)
class State:
    """A school, files of it that are broken, and the configuration."""

    documents: Mapping[Ref, Document]
    broken: frozenset[str] = frozenset()
    rules: CheckRules = field(default_factory=CheckRules)
    serial: int = 0

    @property
    def files(self) -> dict[str, str]:
        """Return the snapshot's files."""
        files = files_of(*self.documents.values())
        return {path: "name: [" if path in self.broken else text for path, text in files.items()}

    @property
    def fingerprint(self) -> str:
        return repr(self.rules)

    def of(self, *doctypes: str) -> list[Document]:
        return [one for ref, one in sorted(self.documents.items()) if ref[0] in doctypes]

    def with_documents(self, *changed: Document) -> State:
        documents = {**self.documents, **{one.ref: one for one in changed}}
        return replace(self, documents=documents, serial=self.serial + 1)

    def without(self, *gone: Document) -> State:
        refs = {one.ref for one in gone}
        return replace(self, documents={r: d for r, d in self.documents.items() if r not in refs})


def first_state() -> State:
    """Return three subjects, shared by three published plans and a draft."""
    documents: list[Document] = [
        plan("P1", ["A", "B"], season="2026", grade="11"),
        plan("P2", ["B", "C"], season="2026", grade="12"),
        plan("P3", ["C"], grade="12", overrides=[override(unit("CU1"), "Rename", "Shown so")]),
        plan("P4", ["A"], is_published=False),
        document(SEASON, "2026"),
        document(GRADE, "11"),
        document(GRADE, "12"),
    ]
    for name in "ABC":
        documents += [subject(name), track(f"{name}T", name)]
        for number in "12":
            documents += [unit(f"{name}U{number}", f"{name}T")]
            documents += [topic(f"{name}O{number}", f"{name}U{number}")]
            documents += [
                lesson(f"{name}L{number}{bit}", f"{name}O{number}", int(number) * 10 + bit)
                for bit in (1, 2)
            ]
    return State({one.ref: one for one in documents})


def _field(one: Document, **fields: Value) -> Document:
    return replace(one, fields={**one.fields, **fields})


def _pick(found: list[Document], number: int) -> Document | None:
    return found[number % len(found)] if found else None


def _retitle(state: State, a: int, b: int, _c: int) -> State:
    one = _pick(state.of(*CURRICULUM), a)
    return state.with_documents(_field(one, title=f"Title {b % 3}")) if one else state


def _flag(state: State, a: int, b: int, _c: int) -> State:
    names = ("is_published", "is_free_preview", "is_linear", "is_sold_separately")
    one, name = _pick(state.of(*CURRICULUM), a), names[b % len(names)]
    if one is None or name not in one.fields:
        return state
    return state.with_documents(_field(one, **{name: not one.flag(name)}))


def _price(state: State, a: int, b: int, _c: int) -> State:
    one = _pick(state.of(*CURRICULUM), a)
    if one is None:
        return state
    return state.with_documents(_field(one, required_item=("", "ITEM")[b % 2] or "BOOK"))


def _reorder(state: State, a: int, b: int, _c: int) -> State:
    one = _pick(state.of(*CURRICULUM), a)
    return state.with_documents(_field(one, sort_order=b % 4)) if one else state


def _move(state: State, a: int, b: int, _c: int) -> State:
    """Move a node to another parent, mostly of another subject; a lesson keeps its bit."""
    one = _pick(state.of(TRACK, UNIT, TOPIC, LESSON), a)
    to = _pick(state.of(str(one.type.parent)), b) if one else None
    if one is None or to is None:
        return state
    return state.with_documents(_field(one, **{str(one.type.parent_field): to.name}))


def _add_lesson(state: State, a: int, b: int, c: int) -> State:
    to = _pick(state.of(TOPIC), a)
    names = (f"N{state.serial}", "clash", "CLASH", "n" * 120)
    if to is None or (LESSON, names[b % 4]) in state.documents:
        return state
    return state.with_documents(lesson(names[b % 4], to.name, 100 + c % 40, [stage()]))


def _add_unit(state: State, a: int, b: int, _c: int) -> State:
    to = _pick(state.of(TRACK), a)
    name = ("unit", "UNIT")[b % 2]
    if to is None or (UNIT, name) in state.documents:
        return state
    made = (unit(name, to.name), topic(f"{name} topic", name))
    return state.with_documents(
        *made, lesson(f"{name} lesson", made[1].name, 200 + b % 2, [stage()])
    )


def _delete(state: State, a: int, _b: int, _c: int) -> State:
    """Delete a node; what was below it becomes orphans."""
    one = _pick(state.of(UNIT, TOPIC, LESSON, LESSON, SUBJECT), a)
    return state.without(one) if one else state


def _list(state: State, a: int, b: int, _c: int) -> State:
    """List a subject in a plan, or no longer."""
    one = _pick(state.of(PLAN), a)
    if one is None:
        return state
    name = ("A", "B", "C", "GONE")[b % 4]
    rows = list(one.rows.get("subjects", ()))
    kept = [row for row in rows if row["subject"] != name]
    row: Row = {"subject": name, "sort_order": b % 3}
    return state.with_documents(
        _rows(one, "subjects", kept if len(kept) < len(rows) else [*rows, row])
    )


def _rows(one: Document, table: str, rows: list[Row]) -> Document:
    tables = {**one.rows, table: tuple(rows)}
    return replace(one, rows={name: found for name, found in tables.items() if found})


ACTIONS = (
    *(("Hide", ""), ("Hide", ""), ("Hide", ""), ("Set Free", ""), ("Set Sold Separately", "SOLO")),
    *(("Set Access Level", "public"), ("Set Linear", "no"), ("Rename", "Named so"), ("Give", "")),
)


def _override(state: State, a: int, b: int, c: int) -> State:
    """Add an override row to a plan, or drop its last one."""
    one, target = _pick(state.of(PLAN), a), _pick(state.of(*CURRICULUM), b)
    if one is None or target is None:
        return state
    rows = list(one.rows.get("overrides", ()))
    if c % 3 == 0 and rows:
        return state.with_documents(_rows(one, "overrides", rows[:-1]))
    row = override(target, *ACTIONS[c % len(ACTIONS)])
    return state.with_documents(_rows(one, "overrides", [*rows, row]))


def _publish_plan(state: State, a: int, _b: int, _c: int) -> State:
    one = _pick(state.of(PLAN), a)
    if one is None:
        return state
    return state.with_documents(_field(one, is_published=not one.flag("is_published")))


def _add_or_drop_plan(state: State, a: int, b: int, _c: int) -> State:
    known = state.documents.get((PLAN, "P5"))
    if known:
        return state.without(known)
    return state.with_documents(
        plan("P5", [("A", "B", "C")[a % 3], ("A", "B", "C")[b % 3]][: 1 + b % 2])
    )


def _link(state: State, a: int, b: int, c: int) -> State:
    """Retitle a grade or season, delete it, or make it anew."""
    doctype, name = ((SEASON, "2026"), (GRADE, "11"), (GRADE, "12"))[a % 3]
    known = state.documents.get((doctype, name))
    if known and c % 4 == 0:
        return state.without(known)
    return state.with_documents(document(doctype, name, {"title": f"Linked {b % 3}"}))


def _mistake(state: State, a: int, b: int, _c: int) -> State:
    """Make a lesson wrong: no bit, an unknown type of stage, a credential; or right again."""
    one = _pick(state.of(LESSON), a)
    if one is None:
        return state
    match b % 4:
        case 0:
            return state.with_documents(_field(one, bit_index=-1))
        case 1:
            return state.with_documents(_rows(one, "stages", [{**stage(), "type": "Poster"}]))
        case 2:
            return state.with_documents(_field(one, description="?X-Amz-Signature=0"))
        case _:
            right = _field(one, bit_index=50 + a % 50, description="Right.")
            return state.with_documents(_rows(right, "stages", [stage()]))


def _break_file(state: State, a: int, b: int, _c: int) -> State:
    """Break a file, or mend all."""
    if b % 2:
        return replace(state, broken=frozenset())
    paths = sorted(files_of(*state.documents.values()))
    return replace(state, broken=state.broken | {paths[a % len(paths)]}) if paths else state


CONFIGURATIONS = (
    CheckRules(),
    CheckRules(Rules(default_access="paid")),
    CheckRules(Rules(layouts=("monolithic",))),
    CheckRules(Rules(layouts=("atomic", "monolithic"))),
    CheckRules(Rules(layouts=("atomic", "monolithic")), Severities({"E107": "warning"})),
    CheckRules(Rules(), Severities({"E107": "warning", "E110": "warning", "E109": "off"})),
    CheckRules(Rules(files_base_url="https://files.example.org", version_links=False)),
)


def _configure(state: State, a: int, _b: int, _c: int) -> State:
    return replace(state, rules=CONFIGURATIONS[a % len(CONFIGURATIONS)])


KINDS: Mapping[str, Callable[[State, int, int, int], State]] = {
    "retitle": _retitle,
    "flag": _flag,
    "price": _price,
    "reorder": _reorder,
    "move": _move,
    "add lesson": _add_lesson,
    "add unit": _add_unit,
    "delete": _delete,
    "list": _list,
    "override": _override,
    "publish plan": _publish_plan,
    "plan": _add_or_drop_plan,
    "link": _link,
    "mistake": _mistake,
    "break": _break_file,
    "configure": _configure,
}


def apply(state: State, edit: Edit) -> State:
    """Return the state after an edit."""
    kind, *numbers = edit
    return KINDS[kind](state, *numbers)


def edits(*often: str) -> st.SearchStrategy[Edit]:
    """Draw an edit; kinds that are named come more often."""
    number = st.integers(0, 47)
    return st.tuples(st.sampled_from([*KINDS, *often]), number, number, number)
