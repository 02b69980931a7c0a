"""A plan's override rows: what they say, what counts, and what is wrong with them (spec 3).

Rows are matched by `(target_doctype, target_name)`. `Hide` wins over all; of several rows that set
access, of several `Set Linear` and of several `Rename`, the last (highest `idx`) counts. A row that
cannot be understood is `E108`, one that sets what its target does not have is `W202`; neither has
an effect, and nothing is silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from exporter.core.model import LESSON, OVERRIDE_TARGETS, Document, Ref, Row

__all__ = [
    "ACCESS_LEVELS",
    "Action",
    "Override",
    "Overrides",
    "RowFault",
    "Target",
    "read_overrides",
]

ACCESS_LEVELS = ("public", "authenticated", "free_preview", "paid")
_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"0", "false", "no"})
_LESSON_IS_NEVER_LINEAR = "'Set Linear' has no effect: a lesson has no `is_linear`"


class Action(Enum):
    """What an override row does."""

    HIDE = "Hide"
    SET_FREE = "Set Free"
    SELL = "Set Sold Separately"
    SET_LEVEL = "Set Access Level"
    SET_LINEAR = "Set Linear"
    RENAME = "Rename"


_GROUPS = {
    Action.HIDE: "hide",
    Action.SET_FREE: "access",
    Action.SELL: "access",
    Action.SET_LEVEL: "access",
    Action.SET_LINEAR: "linear",
    Action.RENAME: "rename",
}


@dataclass(frozen=True, slots=True)
class Override:
    """One understood row; `position` counts the plan's override rows from 0."""

    position: int
    action: Action
    value: str


@dataclass(frozen=True, slots=True)
class Target:
    """The rows that count for one node, by what they set."""

    hide: Override | None = None
    access: Override | None = None
    linear: Override | None = None
    rename: Override | None = None

    @property
    def is_linear(self) -> bool | None:
        """Return what `Set Linear` sets, or None without such a row."""
        return None if self.linear is None else _linear(self.linear.value)


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with an override row: `E108`, or `W202` for one without effect."""

    code: str
    position: int
    target: Ref
    message: str


NO_OVERRIDES = Target()


@dataclass(frozen=True, slots=True)
class Overrides:
    """A plan's overrides by target, and the faults that the rows themselves show."""

    targets: Mapping[Ref, Target] = field(default_factory=dict)
    rows: tuple[tuple[int, Ref, Action], ...] = ()
    """Every row that can have an effect: position, target, action."""
    faults: tuple[RowFault, ...] = ()

    def of(self, ref: Ref) -> Target:
        """Return the rows that count for a node."""
        return self.targets.get(ref, NO_OVERRIDES)


def read_overrides(plan: Document) -> Overrides:
    """Read a plan's override rows in their order."""
    counted: dict[Ref, dict[str, Override]] = {}
    rows: list[tuple[int, Ref, Action]] = []
    faults: list[RowFault] = []
    for position, row in enumerate(plan.rows.get("overrides", ())):
        target = (_text(row, "target_doctype"), _text(row, "target_name"))
        read = _read_row(position, row)
        if isinstance(read, str):
            faults.append(RowFault("E108", position, target, read))
            continue
        if read.action is Action.SET_LINEAR and target[0] == LESSON:
            faults.append(RowFault("W202", position, target, _LESSON_IS_NEVER_LINEAR))
            continue
        groups = counted.setdefault(target, {})
        group = _GROUPS[read.action]
        if group in groups:
            faults.append(_overtaken(groups[group], position, target))
        groups[group] = read
        rows.append((position, target, read.action))
    targets = {target: Target(**groups) for target, groups in counted.items()}
    return Overrides(targets, tuple(rows), tuple(faults))


def _read_row(position: int, row: Row) -> Override | str:
    """Return the row's override, or what is wrong with it."""
    doctype = _text(row, "target_doctype")
    if doctype not in OVERRIDE_TARGETS:
        return f"an override cannot target {doctype or 'nothing'!r}"
    try:
        action = Action(_text(row, "action"))
    except ValueError:
        return f"unknown override action {_text(row, 'action')!r}"
    value = _text(row, "override_value")
    problem = _value_problem(action, value)
    return problem or Override(position, action, value)


def _value_problem(action: Action, value: str) -> str:
    if action is Action.SET_LEVEL and value not in ACCESS_LEVELS:
        return f"{value!r} is no access level; one of {', '.join(ACCESS_LEVELS)}"
    if action is Action.SET_LINEAR and _linear(value) is None:
        return f"{value!r} is neither yes nor no (1/0, true/false, yes/no)"
    if action is Action.RENAME and not value.strip():
        return "Rename needs the new title in override_value"
    return ""


def _linear(value: str) -> bool | None:
    word = value.strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else None


def _overtaken(earlier: Override, by: int, target: Ref) -> RowFault:
    message = f"{earlier.action.value!r} has no effect: row {by + 1} sets the same for {target[1]}"
    return RowFault("W202", earlier.position, target, message)


def _text(row: Row, name: str) -> str:
    return str(row.get(name, ""))
