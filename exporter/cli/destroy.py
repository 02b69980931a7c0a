"""`exporter destroy`: a throw-away target is taken down, files and ledger (spec 6)."""

from __future__ import annotations

import json

import click

from exporter.cli.session import OpenTarget, Session, is_terminal, pass_session
from exporter.cli.standing import sharing_targets
from exporter.cli.usage import Command, json_option
from exporter.core.wording import counted
from exporter.errors import Refused, UsageError

__all__ = ["command"]


@click.command(
    "destroy",
    cls=Command,
    examples={
        "exporter destroy --target preview --confirm preview": "Take the target `preview` down:"
    },
    ends={
        2: "It was not confirmed.",
        3: "Another publish is at work, the `store` was changed, or another target has it too.",
    },
)
@click.option("--target", metavar="NAME", required=True, help="The target that is taken down.")
@click.option("--confirm", metavar="NAME", help="The target's name again, instead of being asked.")
@json_option
@pass_session
def command(session: Session, *, target: str, confirm: str | None, as_json: bool) -> int:
    """Delete everything that was published to a target, and its ledger. There is no way back.

    It is meant for previews of a pull request. Other objects in the buckets are left alone.
    """
    from exporter.publish.destroying import destroy

    opened = session.open_target(target)
    _refuse_shared(opened, sharing_targets(session, opened))
    _require_confirmation(opened.target.name, opened.cdn.label, confirm)
    done = destroy(opened.cdn, opened.ledger, opened.purger, session.new_run(), session.say)
    if as_json:
        report = {
            "target": target,
            "files_deleted": done.files,
            "records_deleted": done.records,
            "purge_error": done.purge_error or None,
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        files, records = counted(done.files, "file"), counted(done.records, "record")
        session.out(f"{target}: {files} and {records} deleted")
    if done.purge_error:
        session.say(f"not purged: {done.purge_error}; caches forget the files by themselves")
    return 4 if done.purge_error else 0


def _refuse_shared(opened: OpenTarget, others: list[str]) -> None:
    """Refuse to delete the files of another target, of which this one's ledger knows nothing.

    Raises:
        Refused: there is one with the same `store` and another `state`.
    """
    if others:
        name, label = opened.target.name, opened.cdn.label
        raise Refused(
            f"destroying target {name} would delete the files of target {', '.join(others)}, of "
            f"which the `store` is {label} too",
            hint=f"to end {name} alone, delete its state store {opened.ledger.store.label} and "
            "take it out of exporter.yaml; to delete the files as well, take the other out first",
        )


_WHAT = "every file below lessons/, plans/ and units/ in"


def _require_confirmation(name: str, label: str, confirm: str | None) -> None:
    if confirm is None and is_terminal():
        confirm = click.prompt(
            f"This deletes {_WHAT} {label}, for good. The target's name, to go on", err=True
        )
    if confirm != name:
        said = "" if confirm is None else f", not {confirm!r}"
        raise UsageError(
            f"destroying target {name} deletes {_WHAT} {label}: confirm it with its name{said}",
            hint=f"exporter destroy --target {name} --confirm {name}",
        )
