"""What students will notice, in sentences, and the sections of a whole report (spec 5, `diff`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.core.diff_access import Notice, Noticed, Sign, Terms
from exporter.core.diff_lines import (
    Block,
    Bounds,
    Line,
    count_of,
    crumbs,
    document_blocks,
    listed,
    say,
    tally,
    titled,
)
from exporter.core.diff_report import DiffReport, FileCounts
from exporter.core.findings import Finding
from exporter.core.model import CURRICULUM, DOCTYPES, LESSON, PLAN, SUBJECT

__all__ = ["Section", "headline", "sections"]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report; `nothing` is said where it has no blocks, `noun` where it is cut."""

    title: str
    blocks: Sequence[Block]
    nothing: str
    noun: str


_LEVELS = {"public": "public", "authenticated": "signed in", "free_preview": "free", "paid": "paid"}
_SIGNS = {
    Sign.OPENS: "🔓",
    Sign.CLOSES: "🔒",
    Sign.ITEM: "🏷️",
    Sign.TERMS: "🏷️",
    Sign.PLAN_GONE: "🚫",
    Sign.GONE: "🚫",
    Sign.PLAN_NEW: "🆕",
    Sign.NEW: "🆕",
    Sign.HEADING: "🏫",
    Sign.PROGRESS: "⚠️",
    Sign.CONTENT: "✏️",
    Sign.TITLE: "🔤",
    Sign.PLACE: "📦",
    Sign.ORDER: "↕️",
    Sign.LINEAR: "🧭",
}
_SHOWN_PLANS = 3


def headline(report: DiffReport) -> str:
    """Return the whole change in one line, without content in it."""
    return tally(report.documents) or "no document changes"


def sections(report: DiffReport, bounds: Bounds) -> tuple[Section, ...]:
    """Return the report's parts in the order of their weight to a reviewer."""
    access = [_block(notice, report.plans, bounds) for notice in report.access]
    others = [_block(notice, report.plans, bounds) for notice in report.otherwise]
    documents = list(document_blocks(report, bounds))
    return (
        Section("Who can open what", access, "Nothing changes in who can open what.", "changes"),
        Section("What else students will notice", others, "Nothing else.", "changes"),
        Section("The release", list(_release(report, bounds)), "", "lines"),
        Section("Documents", documents, "No document changes.", "documents"),
    )


def _block(notice: Notice, plans: Mapping[str, str], bounds: Bounds) -> Block:
    """Return a notice as a sentence, with the titles where the sentence only counts."""
    line = _SENTENCES[notice.sign](notice, _plans(notice, plans, bounds))
    lessons = [(titled(node.title),) for node in notice.nodes if node.ref[0] == LESSON]
    is_told = len(notice.nodes) == 1 or notice.is_all or not lessons or notice.sign in _OF_PLANS
    below = () if is_told else (listed(lessons, bounds.names),)
    return Block(_SIGNS[notice.sign], line, below)


_OF_PLANS = frozenset((Sign.PLAN_GONE, Sign.PLAN_NEW))


def _plans(notice: Notice, titles: Mapping[str, str], bounds: Bounds) -> Line:
    named: list[Line] = [(titled(titles.get(name, name)),) for name in notice.plans]
    if len(named) == 1:
        return named[0]
    most = max(_SHOWN_PLANS, bounds.names)
    return (say(f"{len(named)} plans ("), *listed(named, most), say(")"))


def _levels(notice: Notice, plans: Line) -> Line:
    """Say that an access level changes."""
    before, after = _sides(notice.nodes[0])
    items = sorted({terms.required_item for _, terms in map(_sides, notice.nodes)} - {""})
    sold: Line = (say(" ("), *listed([(say(i, "code"),) for i in items], 3), say(")"))
    singular, plural = _VERBS[after.level]
    verb = singular if _is_one(notice) else plural
    was = say(f" — {_LEVELS[before.level]} before")
    return (*_who(notice), say(f" {verb}"), *(sold if items else ()), say(" in "), *plans, was)


_VERBS = {
    "public": ("becomes public, open to anyone,", "become public, open to anyone,"),
    "free_preview": ("becomes free", "become free"),
    "authenticated": ("needs only a sign-in", "need only a sign-in"),
    "paid": ("becomes paid", "become paid"),
}


def _item(notice: Notice, plans: Line) -> Line:
    """Say that the item changes that students buy."""
    before, after = _sides(notice.nodes[0])
    sold = "is sold as " if _is_one(notice) else "are sold as "
    now = (say(after.required_item, "code"),) if after.required_item else (say("no item"),)
    was = (say(before.required_item, "code"),) if before.required_item else (say("no item"),)
    return (*_who(notice), say(f" {sold}"), *now, say(" in "), *plans, say(" — "), *was, _BEFORE)


_BEFORE = say(" before")


def _terms(notice: Notice, plans: Line) -> Line:
    """Say that the terms change on which a node is sold."""
    before, after = _sides(notice.nodes[0])
    changed = []
    if before.is_sold_separately != after.is_sold_separately:
        changed.append("sold separately" if after.is_sold_separately else "not sold separately")
    if before.parent_item_required != after.parent_item_required:
        is_unlocked = after.parent_item_required
        changed.append("unlocked with the subject" if is_unlocked else "not unlocked with it")
    verb = "is now" if _is_one(notice) else "are now"
    return (*_who(notice), say(f" {verb} {' and '.join(changed)} in "), *plans)


def _gone(notice: Notice, plans: Line) -> Line:
    """Say that nodes disappear."""
    verb = "disappears" if _is_one(notice, whole=True) else "disappear"
    return (*_whole(notice), say(f" {verb} from "), *plans)


def _new(notice: Notice, plans: Line) -> Line:
    """Say that nodes appear, and for whom."""
    verb = "appears" if _is_one(notice, whole=True) else "appear"
    return (*_whole(notice), say(f" {verb} in "), *plans, say(_at_levels(notice)))


def _plan_gone(notice: Notice, plans: Line) -> Line:
    return (say("plan "), *plans, say(f" disappears, with {_amount(notice)}"))


def _plan_new(notice: Notice, plans: Line) -> Line:
    amount = _amount(notice)
    return (say("plan "), *plans, say(f" appears, with {amount}{_at_levels(notice)}"))


def _simple(singular: str, plural: str) -> Callable[[Notice, Line], Line]:
    def sentence(notice: Notice, plans: Line) -> Line:
        verb = singular if _is_one(notice) else plural
        return (*_who(notice), say(f" {verb} in "), *plans)

    return sentence


def _title(notice: Notice, plans: Line) -> Line:
    """Say that titles change; of one, to what."""
    if len(notice.nodes) > 1:
        return _simple("has another title", "have other titles")(notice, plans)
    node = notice.nodes[0]
    label = DOCTYPES[node.ref[0]].label
    old, new = titled(node.title_before), titled(node.title)
    return (say(f"{label} "), old, say(" is called "), new, say(" in "), *plans)


def _heading(notice: Notice, plans: Line) -> Line:
    """Say what a plan is called now, or what season, grade or stream it names."""
    node = notice.nodes[0]
    label = DOCTYPES[node.ref[0]].label
    now = titled(node.title) if node.title else say("none")
    was = titled(node.title_before) if node.title_before else say("none")
    if node.ref[0] == PLAN:
        return (say("plan "), was, say(" is called "), now)
    return (say(f"the {label} of "), *plans, say(" is "), now, say(" — "), was, _BEFORE)


_SENTENCES: Mapping[Sign, Callable[[Notice, Line], Line]] = {
    Sign.OPENS: _levels,
    Sign.CLOSES: _levels,
    Sign.ITEM: _item,
    Sign.TERMS: _terms,
    Sign.PLAN_GONE: _plan_gone,
    Sign.GONE: _gone,
    Sign.PLAN_NEW: _plan_new,
    Sign.NEW: _new,
    Sign.HEADING: _heading,
    Sign.PROGRESS: _simple(
        "has another progress bit: students' marks for it are lost",
        "have other progress bits: students' marks for them are lost",
    ),
    Sign.CONTENT: _simple("has other content", "have other content"),
    Sign.TITLE: _title,
    Sign.PLACE: _simple("stands elsewhere", "stand elsewhere"),
    Sign.ORDER: _simple("stands in another order", "stand in another order"),
    Sign.LINEAR: _simple(
        "has other rules of going through it in order",
        "have other rules of going through them in order",
    ),
}


def _sides(node: Noticed) -> tuple[Terms, Terms]:
    """Return the terms of a node before and after; the same where it has one side only."""
    known = node.terms_after or node.terms_before
    if known is None:
        raise ValueError("a noticed node is shown on one side at least")
    return node.terms_before or known, node.terms_after or known


def _who(notice: Notice) -> Line:
    """Return whom a sentence is about: a node by its title, or how many lessons of what."""
    if len(notice.nodes) == 1:
        label = DOCTYPES[notice.nodes[0].ref[0]].label
        return (say(f"{label} "), titled(notice.where[-1]), *_of(notice.where[:-1]))
    every = "all " if notice.is_all else ""
    return (say(f"{every}{_amount(notice)}", "strong"), *_of(notice.where))


def _whole(notice: Notice) -> Line:
    """Return whom a sentence is about; a node with all below it by its title."""
    if len(notice.nodes) == 1 or not _has_top(notice):
        return _who(notice)
    label = DOCTYPES[notice.top[0]].label if notice.top else ""
    amount = f" ({count_of(LESSON, notice.lessons)})" if notice.lessons else ""
    return (say(f"{label} "), titled(notice.where[-1]), *_of(notice.where[:-1]), say(amount))


def _of(where: Sequence[str]) -> Line:
    return (say(" of "), *crumbs(where)) if where else ()


def _amount(notice: Notice) -> str:
    """Return how many lessons there are, or else how much of what is above them."""
    counts = Counter(node.ref[0] for node in notice.nodes)
    if notice.sign in _OF_PLANS:
        return f"{count_of(SUBJECT, counts[SUBJECT])} and {count_of(LESSON, counts[LESSON])}"
    if counts[LESSON]:
        return count_of(LESSON, counts[LESSON])
    return " and ".join(count_of(name, counts[name]) for name in CURRICULUM if counts[name])


def _is_one(notice: Notice, *, whole: bool = False) -> bool:
    counted = notice.lessons or len(notice.nodes)
    return len(notice.nodes) == 1 or counted == 1 or (whole and _has_top(notice))


def _has_top(notice: Notice) -> bool:
    return any(node.ref == notice.top for node in notice.nodes)


def _at_levels(notice: Notice) -> str:
    """Return the access levels of the lessons that appear."""
    nodes = [node for node in notice.nodes if node.ref[0] == LESSON] or notice.nodes
    counts = Counter(_LEVELS[_sides(node)[1].level] for node in nodes)
    if len(counts) == 1:
        return f" — {next(iter(counts))}"
    return " — " + ", ".join(
        f"{counts[name]:,} {name}" for name in _LEVELS.values() if counts[name]
    )


def _release(report: DiffReport, bounds: Bounds) -> Iterator[Block]:
    """Yield what a release would do, what errors would hold back, and what is held already."""
    findings = report.findings
    yield Block("📄", (say(_files(report.files)),))
    if report.held_plans:
        names: list[Line] = [(titled(report.plans.get(n, n)),) for n in report.held_plans]
        what = say(f"{_count(len(names), 'plan')} held back by errors", "strong")
        stay = say(f", so {'it stays as it is' if len(names) == 1 else 'they stay as they are'}: ")
        yield Block("⛔", (what, stay, *listed(names, bounds.names)))
    counts = f"{_count(findings.errors, 'error')}, {_count(findings.warnings, 'warning')}"
    compared = f"{len(findings.new):,} new, {findings.mended:,} mended"
    found: list[Line] = [
        (*_place(report, one), say(": "), titled(one.message))
        for one in findings.new[: bounds.names]
    ]
    yield Block("🔎", (say(f"Findings: {counts}; {compared}"),), tuple(found))
    if report.holds:
        held: list[Line] = [(titled(line),) for line in report.holds]
        what = say(f"{_count(len(held), 'document')} held after a rollback")
        yield Block("✋", (what, say(": "), *listed(held, bounds.names)))


def _files(files: FileCounts | None) -> str:
    """Say how many files a release would put and delete, as far as that is known."""
    if files is None:
        return (
            "the settings or the exporter changed since this release: `exporter plan` counts files"
        )
    put = f"{_count(files.put, 'file')} to put ({files.new:,} new, {files.bytes_put:,} bytes)"
    purge = (
        "" if files.urls_to_purge is None else f", {_count(files.urls_to_purge, 'URL')} to purge"
    )
    return f"{put}, {files.deleted:,} to delete{purge}"


def _place(report: DiffReport, found: Finding) -> Line:
    """Return the code, file and line of a finding, as `check` names them."""
    path = f"{report.folder}/{found.path}" if report.folder else found.path
    line = f", line {found.line}" if found.line else ""
    return (say(f"{found.code} "), say(path, "code"), say(line))


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'s' * (number != 1)}"
