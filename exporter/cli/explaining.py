"""Explanations as reports: looked up, as documented JSON, and told to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exporter.content.blaming import Origin, Origins
from exporter.core.explain import Decision, Evidence, Explanation, Question, explain
from exporter.core.model import PLAN, Document, Ref

if TYPE_CHECKING:
    from exporter.cli.session import Session
    from exporter.content.reading import Content
    from exporter.core.findings import Finding

__all__ = ["node_report", "origin_json", "origin_line", "tell_node"]

Report = dict[str, Any]


def node_report(
    session: Session, content: Content, held: Sequence[Finding], asked: tuple[str, Document]
) -> Report:
    """Return everything behind what a plan shows of a document; `held` holds the plan back."""
    from exporter.cli.reporting import finding_json
    from exporter.cli.workbench import findings_folder

    snapshot, (name, node) = content.loaded.snapshot, asked
    plan = snapshot.documents[PLAN, name]
    explanation = explain(snapshot, plan, node, session.check_rules.rules.default_access)
    folder = findings_folder(session)
    return {
        "commit": content.commit.sha if content.commit else None,
        "plan": {"name": name, "title": plan.title},
        "node": _named(node),
        "breadcrumb": [document.title for document in explanation.path],
        "held_by": [finding_json(found, folder) for found in held],
        "answers": {q.value: explanation.answer(q) for q in explanation.chains},
        "decisions": _decisions(_Lookup(session, content, folder), explanation),
    }


class _Lookup:
    """Where the values of explanations stand, and who wrote them."""

    def __init__(self, session: Session, content: Content, folder: str) -> None:
        self.session = session
        self.snapshot = content.loaded.snapshot
        self.origins = Origins(session.repository, content, folder)

    def named(self, ref: Ref) -> Report:
        """Return a document as reports name it."""
        return _named(self.snapshot.documents[ref])

    def evidence(self, one: Evidence) -> Report:
        """Return a value with its origin."""
        origin = self._origin(one)
        return {
            "doctype": one.ref[0] if one.ref else None,
            "name": one.ref[1] if one.ref else None,
            "pointer": list(one.pointer),
            "value": one.value,
            "origin": origin_json(origin) if origin else None,
        }

    def _origin(self, one: Evidence) -> Origin | None:
        """Return where a value stands; None for a default that no file says."""
        if one.ref is not None:
            return self.origins.of(self.snapshot.paths[one.ref], one.pointer)
        config = self.session.config.path
        text = config.read_text(encoding="utf-8")
        if str(one.pointer[-1]) not in text:
            return None
        root = self.session.repository.root.resolve()
        file = config.resolve().relative_to(root).as_posix()
        return self.origins.of_text(file, text, one.pointer)


def origin_json(origin: Origin) -> Report:
    """Return an origin as documented JSON; no commit for a line that is not committed."""
    return {
        "file": origin.file,
        "line": origin.line,
        "commit": origin.commit or None,
        "author": origin.author or None,
        "date": origin.date or None,
        "subject": origin.summary or None,
    }


def _named(document: Document) -> Report:
    return {"doctype": document.doctype, "name": document.name, "title": document.title}


def _decisions(lookup: _Lookup, explanation: Explanation) -> Report:
    return {
        question.value: [_decision(lookup, step) for step in chain]
        for question, chain in explanation.chains.items()
    }


def _decision(lookup: _Lookup, step: Decision) -> Report:
    return {
        "node": lookup.named(step.node),
        "rule": step.rule,
        "result": step.result,
        "reason": step.reason,
        "evidence": [lookup.evidence(one) for one in step.evidence],
    }


def tell_node(session: Session, report: Report) -> None:
    """Print an explanation: each answer, and under it what decided it."""
    node, plan = report["node"], report["plan"]
    session.out(
        f'{node["doctype"]} "{node["title"]}" ({node["name"]}) '
        f'in plan "{plan["title"]}" ({plan["name"]})',
        bold=True,
    )
    session.out(" › ".join(report["breadcrumb"]))
    for found in report["held_by"]:
        place = f"{found['file']}:{found['line']}"
        message = f"the plan is held back: {found['code']} {place}: {found['message']}"
        session.out(f"{message}; students see its last release", fg="red")
    for question in Question:
        if question.value in report["answers"]:
            _tell_answer(session, report, question)


def _tell_answer(session: Session, report: Report, question: Question) -> None:
    answer = report["answers"][question.value]
    session.out(f"\n{question.value}: {_written(answer)}", fg="cyan")
    for step in report["decisions"][question.value]:
        if session.verbose or not _is_plain(question, answer, step):
            result = "" if question is Question.VISIBLE else f"{_written(step['result'])}, "
            crossed = question is Question.VISIBLE and step["result"] is not True
            label = f"{step['node']['title']}: {result}{step['reason']}"
            session.out(f"  {label}", fg="red" if crossed else None)
            for line in _evidence_lines(step["evidence"]):
                session.out(f"      {line}")


def _is_plain(question: Question, answer: object, step: Mapping[str, Any]) -> bool:
    """Tell whether a step adds nothing: nothing happens there, or others hide the node."""
    if question is Question.VISIBLE:
        return step["result"] is True and not (answer is True and step["evidence"])
    return step["rule"] in ("as above", "subject")


def _evidence_lines(evidence: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in evidence:
        said = f"{'.'.join(map(str, one['pointer']))}: {_written(one['value'])}"
        origin = one["origin"]
        yield f"{origin_line(origin)}  {said}" if origin else f"the default of {said}"


def origin_line(origin: Mapping[str, Any]) -> str:
    """Return an origin as one line."""
    place = f"{origin['file']}:{origin['line']}"
    if origin["commit"] is None:
        return f"{place}  (not committed)"
    return f"{place}  ({origin['commit'][:12]}, {origin['author']}, {origin['date'][:10]})"


def _written(value: object) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case "":
            return "–"
        case _:
            return str(value)
