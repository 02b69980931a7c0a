"""What the commands print that work on content: the shapes of their `--json`."""

from __future__ import annotations

from exporter.core.explain import Question
from exporter.core.release import Kind as ReleaseKind
from reference.parts import (
    DOCTYPE,
    ERRORS,
    FAILURES,
    FINDINGS,
    HELD_BY,
    HELD_PLANS,
    LEVELS,
    NAME,
    TARGET,
    TITLE,
    WARNINGS,
    commit,
    instant,
    many,
    names,
    release,
)
from reference.shapes import (
    Schema,
    choice,
    flag,
    listed,
    number,
    objects,
    or_null,
    shared,
    text,
)

__all__ = [
    "build_output",
    "check_output",
    "diff_output",
    "failure_output",
    "holds_output",
    "key_output",
    "node_output",
    "preview_output",
    "rollback_output",
    "snapshot_output",
]


def failure_output() -> Schema:
    """Declare what a command prints that fails."""
    told = objects(
        "What failed",
        kind=choice("What kind of failure it is", FAILURES),
        message=text("What failed, on what, and why"),
        hint=text("What to do; may be empty"),
        exit_status=number("The exit status of the command", least=1),
    )
    return objects("What any command prints instead of its report where it fails", error=told)


def snapshot_output() -> Schema:
    """Declare what `snapshot` and `release-hold` print."""
    return objects(
        "What a snapshot took from the database, and where it went",
        commit=or_null(
            commit("The commit that was made; null where nothing changed, or on demand")
        ),
        documents=number("How many documents the database has"),
        files_written=number("How many files were written"),
        files_deleted=number("How many files were deleted"),
        plans=names("The plans that the changes concern, by name"),
        guards_lifted=names("Guards that were lifted for this run, such as `mass-delete`"),
        holds=many("What was left out, because people rolled it back", "hold"),
        replaced=many("What was written by hand and is gone: the database lacks it", "replaced"),
        changes=many("What happened to each document", "change"),
        branch=or_null(text("The branch that it went to; null for the one that is checked out")),
        pushed=flag("Whether anything was pushed"),
        pull_request=or_null(text("The URL of the pull request that has it")),
    )


def holds_output() -> Schema:
    """Declare what `holds` prints."""
    return objects(
        "What snapshots leave out because people rolled it back",
        commit=commit("The commit whose history says so: HEAD"),
        holds=many("The held versions", "hold"),
    )


def rollback_output() -> Schema:
    """Declare what `rollback` prints."""
    return objects(
        "The commit that puts content back as it was",
        commit=or_null(commit("The commit that was made; null where nothing had to change")),
        rolled_back_to=text("The release or commit gone back to"),
        plans=names("The plans that the changes concern, by name"),
        changes=many("What happened to each document", "change"),
    )


def preview_output() -> Schema:
    """Declare what `preview` prints before it serves."""
    return objects(
        "Where the preview can be seen, until the command is ended",
        url=text("The address, on this machine only"),
    )


def check_output() -> Schema:
    """Declare what `check` prints."""
    return objects(
        "Every problem of the content",
        commit=or_null(commit("The commit that was checked; null for the work tree")),
        errors=ERRORS,
        warnings=WARNINGS,
        held_plans=HELD_PLANS,
        held_by=HELD_BY,
        findings=FINDINGS,
    )


def build_output() -> Schema:
    """Declare what `build` prints."""
    return objects(
        "The files that were built",
        commit=or_null(commit("The commit that was built; null for the work tree")),
        out=text("The folder that they are in"),
        files=number("How many files there are"),
        bytes=number("How many bytes these have"),
        plans=names("The plans that were built, by name"),
        held_plans=HELD_PLANS,
        held_by=HELD_BY,
        errors=ERRORS,
        warnings=WARNINGS,
        findings=FINDINGS,
    )


def diff_output() -> Schema:
    """Declare what `diff` prints."""
    finding = objects(
        "A finding that the target has and the base has not",
        code=text("The check's code, as in docs/checks.md"),
        path=text("The file, from the snapshot folder"),
        message=text("What is wrong"),
    )
    return objects(
        "The change from one state of the content to another",
        base=text("What is compared with, in words"),
        target=text("What is compared, in words"),
        access=many("What changes in who may open what", "notice"),
        notices=many("What else students will notice", "notice"),
        files=objects(
            "The files that a release would put and delete",
            new=number("How many files are new"),
            changed=number("How many files change"),
            bytes_put=number("How many bytes these and the new ones have"),
            deleted=number("How many files go"),
            urls_to_purge=or_null(
                number("How many URLs or prefixes the CDN must forget; null without a purge")
            ),
            put=number("How many files are new or change"),
        ),
        files_known=flag(
            "Whether `files` is counted; false, with no numbers in it but 0, where the settings or "
            "the exporter changed since the live release: `exporter plan` counts them then"
        ),
        held_plans=HELD_PLANS,
        findings=objects(
            "The target's findings",
            errors=ERRORS,
            warnings=WARNINGS,
            mended=number("How many findings of the base are gone"),
            new=listed("Those that the base has not", finding),
        ),
        hold_lines=names("What snapshots leave out because people rolled it back, in words"),
        documents=many("What happened to each document", "document_change"),
    )


def node_output() -> Schema:
    """Declare what `explain PLAN NODE` prints."""
    questions = {question.value for question in Question}
    answer = {
        "visible": flag("Whether the plan shows it"),
        "access_level": choice("Who may open it", LEVELS),
        "required_item": text("The item to have bought; empty where none is needed"),
        "is_sold_separately": flag("Whether it is sold by itself"),
        "parent_item_required": flag("Whether the subject's item is needed as well"),
        "title": text("Its title in this plan"),
        "is_linear": flag("Whether students go through what is below in order; not of lessons"),
    }
    steps = {name: many(f"What decided `{name}`, step by step", "decision") for name in answer}
    if answer.keys() != questions:
        raise ValueError(f"explanations answer {sorted(questions)}")
    return objects(
        "Why a plan shows a node as it does",
        commit=or_null(commit("The commit that was looked at; null for the work tree")),
        plan=objects("The plan", name=NAME, title=TITLE),
        node=shared("node", "The subject, track, unit, topic or lesson"),
        breadcrumb=names("Titles from the subject down to the node"),
        held_by=many("The errors that hold the plan back at its last release", "finding"),
        answers=objects("What the plan shows of it", ("is_linear",), **answer),
        decisions=objects("The chain of decisions behind each answer", ("is_linear",), **steps),
    )


def key_output() -> Schema:
    """Declare what `explain KEY` prints."""
    last_change = objects(
        "The last commit that touched the document's file",
        commit=commit("The commit"),
        author=text("Its author"),
        date=text("Its date, as git writes it"),
        subject=text("The first line of its message"),
    )
    about = objects(
        "The document that the file is about",
        doctype=DOCTYPE,
        name=NAME,
        title=TITLE,
        file=text("Its snapshot file, from the repository's root"),
        last_change=or_null(last_change),
    )
    access = objects(
        "Its access in a plan that shows it",
        plan=text("The plan's name"),
        access_level=choice("Who may open it", LEVELS),
        required_item=or_null(text("The item to have bought; null where none is needed")),
        rule=text("The rule that decided"),
        reason=text("Why, in words"),
        decided_at=objects("The document at which that was decided", doctype=DOCTYPE, name=NAME),
        origin=or_null(shared("origin", "Where the deciding value stands; null for a default")),
    )
    return objects(
        "What made a published file",
        target=TARGET,
        key=text("The file's key"),
        plan=or_null(text("The plan that it belongs to; null for a shared one")),
        version=number("Its version, in Unix seconds"),
        size=number("Its size in bytes"),
        digest=text("SHA-256 of its body, but for version and time"),
        links=names("The keys that it links to"),
        release=release("The release that made it"),
        release_kind=choice("Why there is that release", [kind.value for kind in ReleaseKind]),
        finished_at=instant("When that release went live"),
        trigger=text("Who or what started it"),
        commit=commit("The commit that the file is of"),
        commit_author=or_null(text("Its author; null where it is not in this clone")),
        commit_date=or_null(text("Its date, as git writes it")),
        commit_subject=or_null(text("The first line of its message")),
        document=or_null(about),
        access=listed("Its access in each plan that shows it", access),
    )
