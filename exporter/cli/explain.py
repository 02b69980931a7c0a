"""`exporter explain`: why a plan shows a node as it does, what made a published file (spec 3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, json_option
from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.build.inspection import Inspection
    from exporter.content.reading import Content
    from exporter.core.model import Document

__all__ = ["command"]

_SHOWN_SUBJECTS = 5


@click.command(
    "explain",
    cls=Command,
    examples={
        "exporter explain GRADE-12-SCI-2026 LESSON-MATH-001": "Say who may open a lesson, and why:",
        "exporter explain lessons/LESSON-MATH-001.json": "Say what made a published file:",
    },
)
@click.argument("subject", metavar="PLAN|KEY")
@click.argument("node", required=False, metavar="[NODE]")
@click.option("--doctype", metavar="KIND", help="What NODE is, where a name has several: lesson, …")
@click.option(
    "--target", metavar="NAME", help="For KEY: the target; may be left out where there is one."
)
@click.option(
    "--ref", metavar="REF", help="For NODE: a commit, branch or tag; default: the work tree."
)
@click.option("--worktree", is_flag=True, help="For NODE: the files on disk (the default).")
@json_option
@pass_session
def command(
    session: Session,
    *,
    subject: str,
    node: str | None,
    doctype: str | None,
    target: str | None,
    ref: str | None,
    worktree: bool,
    as_json: bool,
) -> None:
    """Say why students see what they see, or what made a published file.

    PLAN NODE: every decision behind what the plan shows of a subject, track, unit, topic or
    lesson, with the file, line, commit and author of each value that it read.

    KEY: which release, commit, author and document made a published file.
    """
    from exporter.cli.explaining import node_report, tell_node

    if node is None and "/" in subject:
        from exporter.cli.provenance import key_report, tell_key

        report = key_report(session, subject, target)
        tell = tell_key
    else:
        from exporter.build.inspection import inspect
        from exporter.cli.workbench import plan_of, read_content

        content = read_content(session, ref, worktree=worktree)
        if node is None:
            raise _node_missing(content, subject)
        plan_of(content, subject)
        inspection = inspect(content, session.check_rules, {subject})
        document = _find_node(inspection, node, doctype)
        held = inspection.held.get(subject, ())
        report = node_report(session, content, held, (subject, document))
        tell = tell_node
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        tell(session, report)


def _node_missing(content: Content, plan: str) -> UsageError:
    """Return the error of somebody who named a plan alone, with what could be asked."""
    from exporter.cli.workbench import plan_of
    from exporter.core.access import listed_subjects

    subjects = listed_subjects(plan_of(content, plan))
    shown = ", ".join(subjects[:_SHOWN_SUBJECTS])
    more = f" and {len(subjects) - _SHOWN_SUBJECTS} more" * (len(subjects) > _SHOWN_SUBJECTS)
    return UsageError(
        f"which part of plan {plan!r} is to be explained?",
        hint=f"name a lesson, topic, unit or track after it, or one of its subjects: {shown}{more}"
        if subjects
        else "it lists no subject: `exporter check` says more",
    )


def _find_node(inspection: Inspection, name: str, doctype: str | None) -> Document:
    """Return the curriculum document of that name.

    Raises:
        UsageError: there is none, or there are several and nobody said which kind is meant.
    """
    from exporter.cli.workbench import unknown
    from exporter.core.model import CURRICULUM, DOCTYPES

    kinds = [kind for kind in CURRICULUM if doctype in (None, kind, DOCTYPES[kind].label)]
    if not kinds:
        labels = ", ".join(DOCTYPES[kind].label for kind in CURRICULUM)
        raise UsageError(f"{doctype!r} is in no plan", hint=f"--doctype is one of {labels}")
    snapshot = inspection.snapshot
    found = [one for kind in kinds if (one := snapshot.find(kind, name))]
    if not found:
        names = [known for kind, known in snapshot.documents if kind in kinds]
        raise unknown(doctype or "node", name, names)
    if len(found) > 1:
        labels = ", ".join(one.type.label for one in found)
        hint = f"choose one, as in --doctype {found[0].type.label}"
        raise UsageError(f"{name!r} is the name of more than one document: {labels}", hint=hint)
    return found[0]
