"""A chain of decisions, replayed from its evidence alone, gives what is published (spec 3)."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from exporter.core.access import view_plan
from exporter.core.explain import Decision, Explanation, Question, explain
from exporter.core.model import CURRICULUM, LESSON, PLAN, Document, Ref, Value
from exporter.core.tree import Snapshot, grow
from tests.core.curricula import LEVELS, curricula, plans
from tests.core.school import lesson, override, plan, school, subject, topic, track, unit
from tests.core.spec3 import Expected, expected

TRUE = ("1", "true", "yes")


def replayed(explanation: Explanation) -> dict[Question, Value]:
    """Work out every answer from rules and evidence, never from a decision's own result."""
    chains = explanation.chains
    answers: dict[Question, Value] = {
        Question.VISIBLE: all(_holds(step) for step in chains[Question.VISIBLE]),
        Question.ACCESS: _level(chains[Question.ACCESS]),
        Question.ITEM: next((_read(s) for s in chains[Question.ITEM] if s.evidence), ""),
        Question.SOLD: any(step.evidence for step in chains[Question.SOLD]),
        Question.PARENT_ITEM: _parent_item(chains[Question.PARENT_ITEM]),
        Question.TITLE: _read(chains[Question.TITLE][0]),
    }
    if Question.LINEAR in chains:
        value = _read(chains[Question.LINEAR][0])
        says = value.strip().casefold() in TRUE if isinstance(value, str) else value
        answers[Question.LINEAR] = says
    return answers


def _read(step: Decision) -> Value:
    return step.evidence[-1].value


def _holds(step: Decision) -> bool:
    match step.rule:
        case "plan is published" | "is published":
            return _read(step) is True
        case "is not hidden":
            return not step.evidence
        case "plan lists the subject":
            return any(one.pointer[0] == "subjects" for one in step.evidence)
        case "leads to a lesson":
            return bool(step.evidence)
        case other:
            raise AssertionError(other)


def _level(chain: tuple[Decision, ...]) -> str:
    level = ""
    for step in chain:
        level = _level_after(int(step.rule.removeprefix("rule ")), step, level)
    return level


FIXED = {
    2: ("Set Free", "free_preview"),
    3: ("Set Sold Separately", "paid"),
    4: (True, "free_preview"),
    5: (True, "paid"),
    8: (True, "public"),
}
"""Rules of which the level does not depend on more than that their evidence is there."""


def _level_after(rule: int, step: Decision, above: str) -> str:
    if rule in FIXED:
        value, level = FIXED[rule]
        assert step.evidence[0].value == value
        return level
    if rule in (6, 9):
        assert above if rule == 9 else above == "free_preview"
        return above
    assert _read(step)
    return "paid" if rule == 7 else str(_read(step))


def _parent_item(chain: tuple[Decision, ...]) -> bool:
    needed = False
    for step in chain:
        if step.evidence:
            needed = step.rule == "own track" and _read(step) is True
    return needed


def published(explanation: Explanation) -> Expected:
    answers = replayed(explanation)
    return Expected(
        level=str(answers[Question.ACCESS]),
        required_item=str(answers[Question.ITEM]),
        is_sold_separately=answers[Question.SOLD] is True,
        parent_item_required=answers[Question.PARENT_ITEM] is True,
        is_linear=answers.get(Question.LINEAR, False) is True,
        title=str(answers[Question.TITLE]),
    )


def assert_evidence_is_what_the_files_say(snapshot: Snapshot, explanation: Explanation) -> None:
    for chain in explanation.chains.values():
        for one in (evidence for step in chain for evidence in step.evidence):
            if one.ref is None:
                assert one.pointer == ("build", "default_access")
                continue
            document = snapshot.documents[one.ref]
            found: object = {"name": document.name, **document.fields, **document.rows}
            for part in one.pointer:
                found = found[part]  # type: ignore[index]
            assert found == one.value


@settings(max_examples=250)
@given(st.data(), st.sampled_from(LEVELS))
def test_every_chain_replayed_gives_what_is_published(data: st.DataObject, default: str) -> None:
    documents = data.draw(curricula())
    row = data.draw(plans(documents))
    snapshot = grow((row, *documents))
    wanted = expected(row, documents, default)
    nodes = [one for one in documents if one.doctype in CURRICULUM]
    event(f"{min(len(wanted), 12)} of {min(len(nodes), 12)} nodes shown")
    for node in nodes:
        explanation = explain(snapshot, row, node, default)
        answers = replayed(explanation)
        assert answers == {asked: explanation.answer(asked) for asked in explanation.chains}
        assert answers[Question.VISIBLE] is (node.ref in wanted)
        if node.ref in wanted:
            assert published(explanation) == wanted[node.ref]
        assert_evidence_is_what_the_files_say(snapshot, explanation)


def explained(node: Document, *documents: Document) -> Explanation:
    snapshot = grow(school(*documents))
    row, found = snapshot.documents[PLAN, "PLAN"], snapshot.documents[node.ref]
    return explain(snapshot, row, found, "authenticated")


def told(explanation: Explanation, question: Question) -> list[tuple[Ref, str, Value]]:
    return [(step.node, step.rule, step.result) for step in explanation.chains[question]]


def test_a_locked_lesson_is_explained_down_from_the_subject() -> None:
    sells = plan(overrides=[override(unit(), "Set Sold Separately")])
    found = explained(
        lesson(), sells, subject(is_public=True), track(required_item="BOOK"), topic(title="")
    )
    assert told(found, Question.ACCESS) == [
        (subject().ref, "rule 8", "public"),
        (track().ref, "rule 7", "paid"),
        (unit().ref, "rule 3", "paid"),
        (topic().ref, "rule 9", "paid"),
        (lesson().ref, "rule 9", "paid"),
    ]
    assert told(found, Question.ITEM) == [
        (lesson().ref, "no item here", ""),
        (topic().ref, "no item here", ""),
        (unit().ref, "no item here", ""),
        (track().ref, "own item", "BOOK"),
    ]
    assert found.answer(Question.SOLD) is True
    assert found.answer(Question.VISIBLE) is True


def test_a_missing_lesson_is_explained_by_all_that_hides_it() -> None:
    hides = plan(is_published=False, subjects=(), overrides=[override(track(), "Hide")])
    found = explained(lesson(), hides, lesson(is_published=False))
    against = [step.reason for step in found.chains[Question.VISIBLE] if step.result is False]
    assert against == [
        "the plan is not published: it has no output",
        "the plan does not list its subject",
        "the plan hides the track, and with it all that is below",
        "the lesson is not published",
    ]


def test_an_orphan_is_explained_by_the_link_that_leads_nowhere() -> None:
    found = explained(lesson("L2", "O2"), topic("O2", "GONE"), lesson("L2", "O2", bit_index=1))
    (step,) = [step for step in found.chains[Question.VISIBLE] if step.result is False]
    assert step.reason == "it is an orphan: topic O2 leads to no subject"
    assert [(one.ref, one.pointer, one.value) for one in step.evidence] == [
        (topic("O2").ref, ("parent_unit",), "GONE")
    ]


def test_a_dropped_topic_is_explained_by_what_is_missing_below_it() -> None:
    found = explained(topic(), lesson(is_published=False))
    assert told(found, Question.VISIBLE)[-1] == (topic().ref, "leads to a lesson", False)
    assert found.answer(Question.VISIBLE) is False


def test_a_shown_node_is_always_one_of_the_plans_view() -> None:
    snapshot = grow(school(lesson("L2", bit_index=1)))
    row = snapshot.documents[PLAN, "PLAN"]
    shown = {node.document.ref for node in view_plan(snapshot, row, "paid").walk()}
    assert {ref for ref in shown if ref[0] == LESSON} == {(LESSON, "L"), (LESSON, "L2")}
    for ref in shown:
        found = explain(snapshot, row, snapshot.documents[ref], "paid")
        assert found.answer(Question.VISIBLE) is True
