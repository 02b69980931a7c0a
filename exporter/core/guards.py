"""What a snapshot must not do by mistake: empty a school, or delete much of it (spec 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from exporter.core.model import DOCTYPES, PLAN, SUBJECT, Ref

__all__ = ["MASS_DELETE_FLOOR", "refusals"]

MASS_DELETE_FLOOR = 20
"""The ratio guards DocTypes with more documents than this."""


def refusals(
    before: Iterable[Ref], after: Iterable[Ref], max_delete_ratio: float
) -> Iterator[tuple[str, bool]]:
    """Yield why a snapshot is refused, each with whether `--allow-mass-delete` lifts it.

    Counted are names that vanish, less names that appear, so a rename is no deletion.
    """
    old, new = _names(before), _names(after)
    for doctype in (PLAN, SUBJECT):
        if old[doctype] and not new[doctype]:
            plural = DOCTYPES[doctype].plural
            had = len(old[doctype])
            yield f"the database has no {plural} at all; the last snapshot has {had}", False
    for doctype, names in old.items():
        lost = len(names - new[doctype]) - len(new[doctype] - names)
        if len(names) > MASS_DELETE_FLOOR and lost > max_delete_ratio * len(names):
            plural = DOCTYPES[doctype].plural
            share = f"{lost} of {len(names)} {plural} ({lost / len(names):.0%})"
            yield f"{share} would be deleted; the limit is {max_delete_ratio:.0%}", True


def _names(refs: Iterable[Ref]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for doctype, name in refs:
        names[doctype].add(name)
    return names
