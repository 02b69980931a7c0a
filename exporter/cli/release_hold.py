"""`exporter release-hold`: take the database's version of a held document now (spec 5)."""

from __future__ import annotations

import json

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.snapshot import Delivery, Request, deliver, delivery_json, tell_delivery
from exporter.cli.usage import Command, json_option, push_option
from exporter.core.wording import near
from exporter.errors import UsageError

__all__ = ["command"]


@click.command(
    "release-hold",
    cls=Command,
    examples={
        "exporter release-hold SUBJECT-MATH": "Take the database's version of one document:",
        "exporter release-hold --all --push": "Take all of them, and push the commit:",
    },
    ends={2: "Nothing of that name is held."},
)
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@click.option("--all", "everything", is_flag=True, help="Release every hold.")
@push_option
@json_option
@pass_session
def command(
    session: Session, *, documents: tuple[str, ...], everything: bool, push: bool, as_json: bool
) -> None:
    """Take a snapshot that ignores the holds of DOCUMENT (a name, or DocType/name).

    The snapshot's commit is what ends a hold, on every machine.
    """
    if bool(documents) == everything:
        raise UsageError("release which holds?", hint="name documents, or say --all")
    wanted = set(documents)
    request = Request(
        push=push,
        released=lambda ref: everything or ref[1] in wanted or "/".join(ref) in wanted,
    )
    if not everything:
        _check(session, wanted)
    delivery = deliver(session, request)
    if as_json:
        session.out(json.dumps(delivery_json(delivery), ensure_ascii=False, indent=2))
    else:
        _tell(session, delivery)


def _check(session: Session, wanted: set[str]) -> None:
    """Refuse a name that no held document has.

    Raises:
        UsageError: there is one.
    """
    from exporter.content.holding import all_holds

    head = session.repository.resolve("HEAD")
    extra = session.config.source.extra_fields
    held = all_holds(session.repository, head, session.content_path, extra)
    known = {form for one in held for form in (one.ref[1], "/".join(one.ref))}
    unknown = sorted(wanted - known)
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: nothing of that name is held",
            hint=near(unknown[0], known, "`exporter holds` lists what is"),
        )


def _tell(session: Session, delivery: Delivery) -> None:
    if delivery.result.commit is None:
        session.out("the database has nothing else than HEAD: there was nothing to take")
    tell_delivery(session, delivery)
