"""Why a plan shows a node as it does: each decision with the values that it read (spec 3).

An `Explanation` holds a chain of `Decision`s for every question. Replaying a chain from its
evidence alone gives the published value: nothing in it has to be believed. `Evidence` says in whose
file a value is, and where; the line and who wrote it are for others to look up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.core.access import Access, PlanView, decide, listed_subjects, view_plan
from exporter.core.findings import Pointer
from exporter.core.model import LESSON, SUBJECT, TRACK, Document, Ref, Value
from exporter.core.overrides import Override
from exporter.core.tree import Snapshot

__all__ = ["Decision", "Evidence", "Explanation", "Question", "explain"]


class Question(Enum):
    """What students notice of a node; the value is its name in reports."""

    VISIBLE = "visible"
    ACCESS = "access_level"
    ITEM = "required_item"
    SOLD = "is_sold_separately"
    PARENT_ITEM = "parent_item_required"
    TITLE = "title"
    LINEAR = "is_linear"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A value that a decision read; `ref` is None for the configuration."""

    ref: Ref | None
    pointer: Pointer
    value: Value


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of a chain: at which node, by which rule, from what, and what holds after it."""

    node: Ref
    rule: str
    result: Value
    reason: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decided what a plan shows of a node, were it shown."""

    plan: Ref
    node: Ref
    path: tuple[Document, ...]
    """From the subject, or the topmost ancestor, down to the node."""
    chains: dict[Question, tuple[Decision, ...]]

    def answer(self, question: Question) -> Value:
        """Return what is published, or would be were the node shown."""
        chain = self.chains[question]
        if question is Question.VISIBLE:
            return all(step.result is True for step in chain)
        return chain[-1].result


def explain(snapshot: Snapshot, plan: Document, node: Document, default_access: str) -> Explanation:
    """Explain what a plan shows of a curriculum document; E112 and held plans are not looked at."""
    path = snapshot.lineage(node)
    view = view_plan(snapshot, plan, default_access)
    chain = _Chain(view, path, tuple(_accesses(view, path, default_access)))
    chains = {
        Question.VISIBLE: tuple(_visible(snapshot, chain)),
        Question.ACCESS: tuple(_levels(chain)),
        Question.ITEM: tuple(_items(chain)),
        Question.SOLD: tuple(_sold(chain)),
        Question.PARENT_ITEM: tuple(_parent_item(chain)),
        Question.TITLE: (_title(chain),),
    }
    if node.doctype != LESSON:
        chains[Question.LINEAR] = (_linear(chain),)
    return Explanation(plan.ref, node.ref, path, chains)


@dataclass(frozen=True, slots=True)
class _Chain:
    """A path through a plan, with the access of each node on it."""

    view: PlanView
    path: tuple[Document, ...]
    accesses: tuple[Access, ...]

    @property
    def steps(self) -> Iterator[tuple[Document, Access]]:
        """Yield the nodes with their access, from the top."""
        return zip(self.path, self.accesses, strict=True)

    def row(self, override: Override, column: str, value: Value) -> Evidence:
        """Return what a row of the plan's overrides says."""
        return Evidence(self.view.plan.ref, ("overrides", override.position, column), value)


def _accesses(view: PlanView, path: Sequence[Document], default: str) -> Iterator[Access]:
    above: Access | None = None
    for document in path:
        above = decide(document, above, view.overrides.of(document.ref), default)
        yield above


def _field(document: Document, name: str) -> Evidence:
    return Evidence(document.ref, (name,), document.fields.get(name, ""))


# Visible


def _visible(snapshot: Snapshot, chain: _Chain) -> Iterator[Decision]:
    plan, top = chain.view.plan, chain.path[0]
    shown = plan.flag("is_published")
    reason = "the plan is published" if shown else "the plan is not published: it has no output"
    yield Decision(plan.ref, "plan is published", shown, reason, (_field(plan, "is_published"),))
    yield _listed(chain.view.plan, top)
    for document in chain.path:
        yield _published(document)
        yield _not_hidden(chain, document)
    yield from _leads_to_lesson(snapshot, chain)


_LISTS = "plan lists the subject"
_HIDES_NOT = "is not hidden"
_LEADS = "leads to a lesson"


def _listed(plan: Document, top: Document) -> Decision:
    if top.doctype != SUBJECT:
        field = str(top.type.parent_field)
        reason = f"it is an orphan: {top.type.label} {top.name} leads to no subject"
        evidence = (_field(top, field),)
        return Decision(top.ref, _LISTS, result=False, reason=reason, evidence=evidence)
    rows = plan.rows.get("subjects", ())
    at = [n for n, row in enumerate(rows) if row.get("subject") == top.name]
    listed = top.name in listed_subjects(plan)
    rows_read = tuple(Evidence(plan.ref, ("subjects", n, "subject"), top.name) for n in at[:1])
    reason = "the plan lists its subject" if listed else "the plan does not list its subject"
    return Decision(top.ref, _LISTS, listed, reason, rows_read)


def _published(document: Document) -> Decision:
    is_published = document.flag("is_published")
    reason = f"the {document.type.label} is {'' if is_published else 'not '}published"
    evidence = (_field(document, "is_published"),)
    return Decision(document.ref, "is published", is_published, reason, evidence)


def _not_hidden(chain: _Chain, document: Document) -> Decision:
    hide = chain.view.overrides.of(document.ref).hide
    label = document.type.label
    if hide is None:
        return Decision(document.ref, _HIDES_NOT, result=True, reason=f"no row hides the {label}")
    reason = f"the plan hides the {label}, and with it all that is below"
    evidence = (chain.row(hide, "action", hide.action.value),)
    return Decision(document.ref, _HIDES_NOT, result=False, reason=reason, evidence=evidence)


def _leads_to_lesson(snapshot: Snapshot, chain: _Chain) -> Iterator[Decision]:
    """Yield whether something is left below a track, unit or topic (spec 3, "Visible")."""
    node = chain.path[-1]
    if node.doctype in (SUBJECT, LESSON):
        return
    below = (one for one in snapshot.below(node) if one.doctype == LESSON)
    lesson = next((one for one in below if one.ref in chain.view.reached), None)
    label = node.type.label
    if lesson is None:
        reason = f"the plan shows no lesson below the {label}: it is dropped"
        yield Decision(node.ref, _LEADS, result=False, reason=reason)
        return
    reason = f"the {label} leads to lesson {lesson.name}"
    evidence = (Evidence(lesson.ref, ("name",), lesson.name),)
    yield Decision(node.ref, _LEADS, result=True, reason=reason, evidence=evidence)


# Access


def _levels(chain: _Chain) -> Iterator[Decision]:
    for document, access in chain.steps:
        evidence = tuple(_of_rule(chain, document, access))
        yield Decision(
            document.ref, f"rule {access.rule}", access.level, _RULES[access.rule], evidence
        )


_RULES = {
    1: "the plan sets the access level",
    2: "the plan gives it away as a free sample",
    3: "the plan sells it separately",
    4: "it is a free preview itself",
    5: "the track is sold separately, whatever is above it",
    6: "what is above it is a free preview, which goes all the way down",
    7: "it has a required item of its own",
    8: "the subject is public",
    9: "it takes the level of what is above it",
    10: "nothing says otherwise: the site's default (build.default_access)",
}


def _of_rule(chain: _Chain, document: Document, access: Access) -> Iterator[Evidence]:
    """Yield what the rule that decided has read; rules 6 and 9 read the node above."""
    fields = {4: "is_free_preview", 5: "is_sold_separately", 7: "required_item", 8: "is_public"}
    if access.override is not None:
        yield chain.row(access.override, "action", access.override.action.value)
        if access.override.value:
            yield chain.row(access.override, "override_value", access.override.value)
    elif access.rule in fields:
        yield _field(document, fields[access.rule])
    elif access.rule == 10:
        yield Evidence(None, ("build", "default_access"), access.level)


def _items(chain: _Chain) -> Iterator[Decision]:
    """Yield where the item comes from: the node, then each paid one above, until one has it."""
    node = chain.path[-1]
    if chain.accesses[-1].level != "paid":
        yield Decision(node.ref, "not paid", "", "only what is paid needs an item")
        return
    for document, access in reversed(list(chain.steps)):
        if access.level != "paid":
            continue
        row = access.override if access.rule == 3 else None
        label = document.type.label
        if row and row.value:
            reason = f"the plan's row that sells the {label} names it"
            evidence = (chain.row(row, "override_value", row.value),)
            yield Decision(document.ref, "the override's item", row.value, reason, evidence)
            return
        if own := document.text("required_item"):
            evidence = (_field(document, "required_item"),)
            yield Decision(document.ref, "own item", own, f"the {label} names it", evidence)
            return
        reason = f"the {label} is paid and names none: what is paid above it counts"
        yield Decision(document.ref, "no item here", "", reason)


def _sold(chain: _Chain) -> Iterator[Decision]:
    sold = False
    for document, access in chain.steps:
        label = document.type.label
        if access.rule == 3 and access.override:
            sold, rule, reason = True, "rule 3", f"the plan sells the {label} separately"
            evidence: tuple[Evidence, ...] = (
                chain.row(access.override, "action", access.override.action.value),
            )
        elif document.doctype == TRACK and document.flag("is_sold_separately"):
            sold, rule, reason = True, "own track", "the track is sold separately"
            evidence = (_field(document, "is_sold_separately"),)
        else:
            rule, reason, evidence = "as above", "nothing here says so: as above", ()
        yield Decision(document.ref, rule, sold, reason, evidence)


def _parent_item(chain: _Chain) -> Iterator[Decision]:
    needed = False
    for document, access in chain.steps:
        label = document.type.label
        rule, reason, evidence = "as above", "as what is above it", tuple[Evidence, ...]()
        if access.rule == 3 and access.override:
            needed, rule, reason = False, "rule 3", f"the plan sells the {label} separately"
            evidence = (chain.row(access.override, "action", access.override.action.value),)
        elif document is chain.path[0]:
            rule, reason = "subject", "a subject has no track around it"
        elif document.doctype == TRACK:
            needed = document.flag("parent_item_required")
            rule, reason = "own track", "the track says so"
            evidence = (_field(document, "parent_item_required"),)
        yield Decision(document.ref, rule, needed, reason, evidence)


# Title and order


def _title(chain: _Chain) -> Decision:
    node = chain.path[-1]
    rename = chain.view.overrides.of(node.ref).rename
    if rename:
        evidence = chain.row(rename, "override_value", rename.value)
        return Decision(node.ref, "Rename", rename.value, "the plan renames it", (evidence,))
    field = "title" if node.text("title") else "name"
    value = Evidence(node.ref, (field,), node.title)
    reason = "its own title" if field == "title" else "it has no title: its name stands for it"
    return Decision(node.ref, f"own {field}", node.title, reason, (value,))


def _linear(chain: _Chain) -> Decision:
    node = chain.path[-1]
    target = chain.view.overrides.of(node.ref)
    if target.linear and target.is_linear is not None:
        evidence = chain.row(target.linear, "override_value", target.linear.value)
        return Decision(node.ref, "Set Linear", target.is_linear, "the plan sets it", (evidence,))
    own = _field(node, "is_linear")
    return Decision(node.ref, "own field", node.flag("is_linear"), "its own field", (own,))
