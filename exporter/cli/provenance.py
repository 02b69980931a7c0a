"""`exporter explain KEY` as a report: the release, commit, author and document behind a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from exporter.cli.explaining import origin_json, origin_line
from exporter.core.access import listed_subjects
from exporter.core.addressing import plain_key
from exporter.core.explain import Question, explain
from exporter.core.model import LESSON, PLAN, UNIT, Document, Ref
from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.build.inspection import Inspection
    from exporter.cli.session import Session
    from exporter.content.blaming import Origin
    from exporter.content.reading import Content
    from exporter.publish.provenance import Provenance

__all__ = ["key_report", "last_change", "tell_key"]

Report = dict[str, Any]


def key_report(session: Session, key: str, target: str | None) -> Report:
    """Return what made a live file, given its key or its link."""
    from exporter.publish.provenance import trace

    opened = session.open_target(target)
    plain = key.partition("?")[0].lstrip("/")
    try:
        found = trace(opened.ledger, plain)
    except UsageError:
        if unquote(plain) == plain:
            raise
        found = trace(opened.ledger, unquote(plain))
    release = found.release
    return {
        "target": opened.target.name,
        "key": found.key,
        "plan": found.plan,
        "version": found.entry.version,
        "size": found.entry.size,
        "digest": found.entry.digest,
        "links": list(found.entry.links),
        "release": release.id,
        "release_kind": release.kind.value,
        "finished_at": release.finished_at,
        "trigger": release.trigger,
        **_commit(session, found.commit),
        **_content_report(session, found),
    }


def _commit(session: Session, sha: str) -> Report:
    """Return a commit's author, date and subject; null where it is not in this clone."""
    known = session.repository.find(sha) is not None
    told = ["", "", ""]
    if known:
        form = "--format=%an%x00%aI%x00%s"
        told = session.repository.git("show", "-s", form, sha).decode(errors="replace").split("\0")
    author, date, subject = (part.strip() or None for part in told)
    return {
        "commit": sha,
        "commit_author": author,
        "commit_date": date,
        "commit_subject": subject,
    }


def _content_report(session: Session, found: Provenance) -> Report:
    """Return the document behind a file and its access, as the file's commit has them."""
    from exporter.build.inspection import inspect
    from exporter.content.reading import read_commit

    commit = session.repository.find(found.commit)
    if commit is None:
        return {"document": None, "access": []}
    extra = session.config.source.extra_fields
    content = read_commit(session.repository, commit, session.content_path, extra)
    plans = {found.plan} if found.plan else None
    inspection = inspect(content, session.check_rules, plans)
    document = _document(inspection, found)
    if document is None:
        return {"document": None, "access": []}
    path = inspection.snapshot.paths[document.ref]
    return {
        "document": {
            "doctype": document.doctype,
            "name": document.name,
            "title": document.title,
            "file": f"{session.content_path}/{path}",
            "last_change": last_change(session, found.commit, path),
        },
        "access": list(_accesses(session, content, inspection, document)),
    }


def _document(inspection: Inspection, found: Provenance) -> Document | None:
    """Return the document that a file is about."""
    snapshot = inspection.snapshot
    if found.plan is not None:
        keys = inspection.keys.get(found.plan)
        ref: Ref | None = None
        if keys:
            ref = keys.owner(found.key) or keys.owner(plain_key(found.key))
        return snapshot.documents.get(ref or (PLAN, found.plan))
    of_folder = {"lessons": (LESSON, inspection.lessons), "units": (UNIT, inspection.units)}
    doctype, shared = of_folder[found.key.split("/", 1)[0]]
    forms = (found.key, plain_key(found.key))
    named = (one for one in snapshot.of_type(doctype) if shared.key(one.name) in forms)
    return next(named, None)


def last_change(session: Session, commit: str, path: str) -> Report | None:
    """Return the last commit that touched a document's file, as of a commit."""
    form = "--format=%H%x00%an%x00%aI%x00%s"
    file = f"{session.content_path}/{path}"
    told = session.repository.git("log", "-1", form, commit, "--", f":(literal){file}")
    if not told.strip():
        return None
    sha, author, date, subject = told.decode(errors="replace").strip().split("\0")
    return {"commit": sha, "author": author, "date": date, "subject": subject}


def _accesses(
    session: Session, content: Content, inspection: Inspection, document: Document
) -> list[Report]:
    """Return a document's access in each plan that shows it, with what decided it."""
    from exporter.content.blaming import Origins

    origins = Origins(session.repository, content, session.content_path)
    default = session.check_rules.rules.default_access
    top = inspection.snapshot.lineage(document)[0].name
    reports: list[Report] = []
    for name, view in sorted(inspection.views.items()):
        if document.doctype == PLAN or top not in listed_subjects(view.plan):
            continue
        found = explain(inspection.snapshot, view.plan, document, default)
        if not found.answer(Question.VISIBLE):
            continue
        chain = found.chains[Question.ACCESS]
        decided = next(step for step in reversed(chain) if step.rule != "rule 9")
        evidence = next((one for one in decided.evidence if one.ref), None)
        origin: Origin | None = None
        if evidence and evidence.ref:
            origin = origins.of(inspection.snapshot.paths[evidence.ref], evidence.pointer)
        reports.append(
            {
                "plan": name,
                "access_level": found.answer(Question.ACCESS),
                "required_item": found.answer(Question.ITEM) or None,
                "rule": decided.rule,
                "reason": decided.reason,
                "decided_at": {"doctype": decided.node[0], "name": decided.node[1]},
                "origin": origin_json(origin) if origin else None,
            }
        )
    return reports


def tell_key(session: Session, report: Report) -> None:
    """Print what made a file."""
    sha, out = report["commit"][:12], session.out
    out(f"{report['key']} on {report['target']}", bold=True)
    out(f"  version {report['version']}, {report['size']:,} bytes, body {report['digest'][:16]}…")
    out(f"  made by release {report['release']} ({report['release_kind']}, {report['trigger']})")
    if author := report["commit_author"]:
        told = f"{author}, {report['commit_date'][:10]}: {report['commit_subject']}"
        out(f"  from commit {sha} ({told})")
    else:
        out(f"  from commit {sha}, which is not in this clone", fg="yellow")
    document = report["document"]
    if document:
        label = f'{document["doctype"]} "{document["title"]}" ({document["name"]})'
        out(f"  about {label}: {document['file']}")
        if change := document["last_change"]:
            told = f"{change['author']}, {change['date'][:10]}: {change['subject']}"
            out(f"    last changed in {change['commit'][:12]} ({told})")
    for one in report["access"]:
        item = f" with {one['required_item']}" if one["required_item"] else ""
        name = one["decided_at"]["name"]
        out(f"  in plan {one['plan']}: {one['access_level']}{item}", fg="cyan")
        out(f"    {name}: {one['reason']}")
        if one["origin"]:
            out(f"    {origin_line(one['origin'])}")
