"""The traversal of the core against spec 3 written as rules over paths, on random schools."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from exporter.core.access import view_plan
from exporter.core.model import Document, Ref
from exporter.core.tree import grow
from tests.core.curricula import LEVELS, curricula, plans
from tests.core.spec3 import Expected, expected


def computed(plan: Document, documents: tuple[Document, ...], default: str) -> dict[Ref, Expected]:
    view = view_plan(grow((plan, *documents)), plan, default)
    return {
        node.document.ref: Expected(
            level=node.access.level,
            required_item=node.access.required_item,
            is_sold_separately=node.access.is_sold_separately,
            parent_item_required=node.access.parent_item_required,
            is_linear=node.is_linear,
            title=node.title,
        )
        for node in view.walk()
    }


@settings(max_examples=400)
@given(st.data(), st.sampled_from(LEVELS))
def test_what_a_plan_shows_is_what_the_rules_over_paths_say(
    data: st.DataObject, default: str
) -> None:
    documents = data.draw(curricula())
    plan = data.draw(plans(documents))
    wanted = expected(plan, documents, default)
    event(f"{min(len(wanted), 12)} nodes shown")
    assert computed(plan, documents, default) == wanted


@given(st.data())
def test_the_order_of_the_documents_changes_nothing(data: st.DataObject) -> None:
    documents = data.draw(curricula())
    plan = data.draw(plans(documents))
    shuffled = tuple(data.draw(st.permutations(documents)))
    first = list(computed(plan, documents, "paid").items())
    assert list(computed(plan, shuffled, "paid").items()) == first
