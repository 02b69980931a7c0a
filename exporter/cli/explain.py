"""`exporter explain`: why a plan shows a node as it does, what made a published file (spec 3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session

if TYPE_CHECKING:
    from exporter.build.inspection import Inspection
    from exporter.content.reading import Content
    from exporter.core.model import Document

__all__ = ["command"]


@click.command("explain")
@click.argument("subject", metavar="PLAN|KEY")
@click.argument("node", required=False)
@click.option("--doctype", default=None, help="What NODE is, where a name has several: lesson, …")
@click.option("--target", default=None, help="For KEY; may be left out where there is one.")
@click.option("--ref", default=None, help="For NODE: a commit; default: the work tree.")
@click.option("--worktree", is_flag=True, help="For NODE: the files on disk (the default).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
    """Say why.

    PLAN NODE: every decision behind what the plan shows of a subject, track, unit, topic or
    lesson, with the file, line, commit and author of each value that it read.

    KEY: which release, commit, author and document made a published file.
    """
    from exporter.cli.explaining import node_report, tell_node

    if node is None:
        from exporter.cli.provenance import key_report, tell_key

        report = key_report(session, subject, target)
        tell = tell_key
    else:
        from exporter.cli.workbench import read_content

        content = read_content(session, ref, worktree=worktree)
        inspection = _inspected(session, content, subject)
        document = _find_node(inspection, node, doctype)
        report = node_report(session, content, inspection, (subject, document))
        tell = tell_node
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        tell(session, report)


def _inspected(session: Session, content: Content, plan: str) -> Inspection:
    """Return what a plan shows, and what is wrong with it.

    Raises:
        UsageError: there is no such plan.
    """
    from exporter.build.inspection import inspect
    from exporter.core.model import PLAN

    snapshot = content.loaded.snapshot
    if snapshot.find(PLAN, plan) is None:
        raise _unknown("plan", plan, [found.name for found in snapshot.of_type(PLAN)])
    return inspect(content, session.check_rules, {plan})


def _find_node(inspection: Inspection, name: str, doctype: str | None) -> Document:
    """Return the curriculum document of that name.

    Raises:
        UsageError: there is none, or there are several and nobody said which kind is meant.
    """
    from exporter.core.model import CURRICULUM, DOCTYPES
    from exporter.errors import UsageError

    kinds = [kind for kind in CURRICULUM if doctype in (None, kind, DOCTYPES[kind].label)]
    if not kinds:
        labels = ", ".join(DOCTYPES[kind].label for kind in CURRICULUM)
        raise UsageError(f"{doctype!r} is in no plan", hint=f"--doctype is one of {labels}")
    snapshot = inspection.snapshot
    found = [one for kind in kinds if (one := snapshot.find(kind, name))]
    if not found:
        names = [known for kind, known in snapshot.documents if kind in kinds]
        raise _unknown(doctype or "node", name, names)
    if len(found) > 1:
        labels = ", ".join(one.type.label for one in found)
        hint = f"choose one, as in --doctype {found[0].type.label}"
        raise UsageError(f"{name!r} is the name of more than one document: {labels}", hint=hint)
    return found[0]


def _unknown(what: str, name: str, known: list[str]) -> Exception:
    from difflib import get_close_matches

    from exporter.errors import UsageError

    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "it goes by its `name`, as in the YAML files"
    return UsageError(f"there is no {what} {name!r} in this content", hint=hint)
