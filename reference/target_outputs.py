"""What the commands print that work on a target: the shapes of their `--json`."""

from __future__ import annotations

from exporter.core.artifacts import Kind as FileKind
from exporter.core.diagnosis import Health
from exporter.core.release import PlanState
from reference.parts import (
    DEFINITIONS,
    PURGE_ERROR,
    TARGET,
    commit,
    instant,
    many,
    names,
    release,
)
from reference.shapes import (
    Schema,
    choice,
    either,
    flag,
    listed,
    mapping,
    number,
    objects,
    or_null,
    shared,
    text,
)

__all__ = [
    "adopt_output",
    "destroy_output",
    "doctor_output",
    "gc_output",
    "matrix_output",
    "plan_output",
    "prepare_output",
    "publish_output",
    "refresh_output",
    "releases_output",
    "show_output",
    "status_output",
    "verify_output",
]


def plan_output() -> Schema:
    """Declare what `plan` and `publish --dry-run` print."""
    put = objects(
        "A file is put",
        step={"description": "What is done", "const": "put"},
        key=text("The file's key"),
        kind=choice("What the file is", [kind.value for kind in FileKind]),
        phase=number("The phase of the upload; each is complete before the next"),
        plan=or_null(text("The plan that it belongs to; null for a shared one")),
        reason=choice("Why it is put", ("new", "changed", "put right")),
        size=number("Its size in bytes"),
    )
    delete = objects(
        "A file is deleted",
        step={"description": "What is done", "const": "delete"},
        key=text("The file's key"),
        reason=text("Why it goes"),
    )
    record = objects(
        "The release is recorded and goes live",
        step={"description": "What is done", "const": "record"},
        indexes=number("How many indexes are stored with it"),
    )
    purge = objects(
        "The CDN is asked to forget what changed",
        step={"description": "What is done", "const": "purge"},
        files=number("How many files it must forget"),
    )
    outcome = objects(
        "What becomes of a plan",
        state=choice("What becomes of it", [state.value for state in PlanState]),
        attempts=number("Releases in a row that failed or held it back, this one included"),
        error=text("Why it is held back; empty where it is not"),
    )
    return objects(
        "What a publish would do: the same steps that it takes",
        target=TARGET,
        commit=commit("The commit that would be published"),
        live_release=or_null(release("The live release; null before the first one")),
        files_put=number("How many files would be put"),
        bytes_put=number("How many bytes these have"),
        files_deleted=number("How many files would be deleted"),
        steps=listed("The steps, in their order", either("A step", put, delete, record, purge)),
        plans=mapping("What becomes of each plan, by name", outcome),
    )


def publish_output() -> Schema:
    """Declare what `publish` and `retry` print."""
    behind = objects(
        "A form of a file that readers did not get yet",
        url=text("The URL that was fetched"),
        origin=text("The `Origin` header that was sent; empty for none"),
        why=text("What readers got instead"),
    )
    proof = objects(
        "What readers get through the CDN",
        looked_at=number("How many URLs were fetched"),
        took_s=number("How long it took until all were new, in seconds", whole=False),
        behind=listed("Those that were not new in time", behind),
    )
    return objects(
        "What a publish did",
        target=TARGET,
        release=release("The live release now"),
        commit=commit("Its commit"),
        changed=flag("Whether this run made that release"),
        files_put=number("How many files this run put"),
        bytes_put=number("How many bytes these have"),
        files_deleted=number("How many files this run deleted"),
        purge_error=PURGE_ERROR,
        proof=or_null(proof),
        record=shared("release_record", "The record of the live release"),
    )


def releases_output() -> Schema:
    """Declare what `releases` prints."""
    records = many("The releases, newest first", "release_record")
    subject = {"type": "string"}
    return objects(
        "The newest releases of a target",
        target=TARGET,
        releases=records,
        commit_subjects=mapping(
            "The first line of each commit's message; empty where it is not in this clone", subject
        ),
    )


def show_output() -> Schema:
    """Declare what `show` prints."""
    record = DEFINITIONS["release_record"]["properties"]
    files = objects(
        "The files that it changed, by key",
        new=names("Those that were not live before"),
        changed=names("Those that changed"),
        deleted=names("Those that went"),
    )
    subject = text("The first line of the commit's message; empty where it is not in this clone")
    return objects(
        "One release, in full", (), target=TARGET, **record, commit_subject=subject, files=files
    )


def status_output() -> Schema:
    """Declare what `status` prints."""
    waiting = objects(
        "A plan that stayed behind",
        state=choice("Why", (PlanState.FAILED.value, PlanState.HELD.value)),
        attempts=number("Releases in a row that failed or held it back"),
        error=text("The error; empty where there is none"),
        dead_letter=flag("Whether no publish tries it again until `exporter retry`"),
    )
    unpublished = objects(
        "A commit that is not live",
        commit=commit("The commit"),
        subject=text("The first line of its message"),
        author=text("Who made it"),
        date=text("When, as git writes it"),
    )
    freshness = objects(
        "How old the live content is",
        live_commit_at=or_null(instant("When the live commit was made")),
        published_at=or_null(instant("When it went live")),
        oldest_unpublished_at=or_null(instant("When the oldest unpublished commit was made")),
        behind_s=number("How long that one has been waiting, in seconds"),
        last_snapshot_at=or_null(instant("When a snapshot last went well; null where none did")),
        last_snapshot_age_s=or_null(number("How long ago that was, in seconds")),
    )
    lease = objects(
        "The run that publishes now",
        holder=text("Who it is; empty where the lease was given back"),
        run=text("The run's id"),
        since=text("Since when"),
        until=text("Until when the lease is good"),
    )
    expiring = objects(
        "How many of them have a URL that works for how long still; each is counted once",
        expired=number("It has expired"),
        one_hour=number("At most one hour"),
        six_hours=number("At most six hours"),
        one_day=number("At most one day"),
        later=number("Longer"),
    )
    expiry = objects(
        "A lesson with a signed URL",
        key=text("Its key"),
        expires=instant("When its first signed URL expires"),
    )
    commits = or_null(
        listed(
            "Commits that are not live, newest first; null where that cannot be told", unpublished
        )
    )
    return objects(
        "What is live, what waits and what is held",
        target=TARGET,
        store=text("The CDN store"),
        made_at=instant("When this was looked up"),
        commit_pages=or_null(
            text("Before a commit's id, the address of its page; null where there is none known")
        ),
        live=or_null(shared("release_record", "The live release; null before the first one")),
        head_commit=or_null(commit("HEAD; null in a repository without commits")),
        uncommitted_files=names("The content files that were changed and not committed"),
        unpublished_commits=commits,
        off_history=flag("Whether HEAD does not descend from the live commit"),
        unpublished_plans=names("The plans that these commits concern, by name"),
        plan_titles=mapping("The titles of the plans named here, by name", {"type": "string"}),
        freshness=freshness,
        plans_waiting=mapping("The plans that stayed behind, by name", waiting),
        holds=many("What snapshots leave out because people rolled it back", "hold"),
        purges_pending=number("How many purge requests are still owed to the CDN"),
        purges_owed=mapping("The same by the run that owes them", {"type": "integer"}),
        unfinished=flag("Whether a publish was cut short; the next one ends it"),
        lease=or_null(lease),
        signed_urls=objects(
            "Lessons with signed media URLs",
            lessons=number("How many there are"),
            due=number("How many of them the next `exporter refresh` signs again"),
            expiring=expiring,
            next=listed("Those that expire next", expiry),
        ),
    )


def verify_output() -> Schema:
    """Declare what `verify` prints."""
    return objects(
        "How the CDN compares with the live release",
        target=TARGET,
        release=release("The live release"),
        commit=commit("Its commit"),
        via_cdn=flag("Whether files were fetched as readers do, not read from the store"),
        live_files=number("How many files are live"),
        looked_at=number("How many of them were looked at"),
        kept_files=number("How many files stand on though they are live no more"),
        drift=many("What is not as released", "drift"),
        repaired_by=or_null(release("The release that put it right; null where none did")),
        left=many("What that could not put right", "drift"),
        purge_error=PURGE_ERROR,
        unfinished=flag("Whether a publish was cut short; the next one ends it"),
    )


def refresh_output() -> Schema:
    """Declare what `refresh` prints."""
    return objects(
        "The lessons whose media URLs were signed again",
        target=TARGET,
        release=or_null(release("The release that has them; null where none was due")),
        files_put=number("How many lessons were put"),
        signed_lessons=number("How many live lessons have signed URLs"),
        lost=names("Keys that cannot be made again as they were released"),
        purge_error=PURGE_ERROR,
    )


def matrix_output() -> Schema:
    """Declare what `plan --matrix` prints."""
    shard = objects(
        "The job that prepares one shard",
        shard=text("What its `publish --prepare --shard` is told, such as `2/3`"),
        plans=number("How many plans it makes"),
    )
    return objects(
        "A GitHub matrix: the jobs that share a publish",
        include=listed("A job for each shard; empty where one machine does as well", shard),
    )


def prepare_output() -> Schema:
    """Declare what `publish --prepare` prints."""
    return objects(
        "What one machine has prepared of a publish that several share",
        target=TARGET,
        commit=commit("The commit that is published"),
        live_release=or_null(release("The live release; null before the first one")),
        shard=number("Which share this is, from 1", least=1),
        shards=number("How many shares there are", least=1),
        plans=names("The plans of this share"),
        files_put=number("How many files were put"),
        bytes_put=number("How many bytes these have"),
        held=mapping("What holds plans back, by plan", text("The first error")),
        failed=mapping("Why plans could not be put, by plan", text("What failed")),
    )


def gc_output() -> Schema:
    """Declare what `gc` prints."""
    return objects(
        "The published files that no recent release needs",
        target=TARGET,
        dry_run=flag("Whether this only says what would be deleted"),
        keep_s=number("How long files stay that are live no more, in seconds"),
        release=or_null(release("The release that says so; null where nothing was deleted")),
        files_deleted=number("How many files were deleted, or would be"),
        bytes_deleted=number("How many bytes these have"),
        deleted=names("Their keys"),
        files_kept=number("How many files stay that are live no more"),
        bytes_kept=number("How many bytes these have"),
        next_due=or_null(instant("When the first of them may be deleted; null for none")),
        purge_error=PURGE_ERROR,
    )


def doctor_output() -> Schema:
    """Declare what `doctor` prints."""
    check = objects(
        "One thing that was tried",
        area=text("What it belongs to: `database`, `git` or `target NAME`"),
        name=text("What was tried"),
        health=choice("What came out", [health.value for health in Health]),
        message=text("What was seen"),
        hint=text("How to mend it; empty where nothing is to mend"),
    )
    return objects(
        "Everything that a run needs, tried",
        problems=number("How many things do not work"),
        warnings=number("How many things could be better"),
        checks=listed("All that was tried", check),
    )


def destroy_output() -> Schema:
    """Declare what `destroy` prints."""
    return objects(
        "A target that was taken down",
        target=TARGET,
        files_deleted=number("How many published files were deleted"),
        records_deleted=number("How many objects of the ledger were deleted"),
        purge_error=PURGE_ERROR,
    )


def adopt_output() -> Schema:
    """Declare what `adopt` prints."""
    plan = objects(
        "A plan that is on the CDN, or should be",
        state=choice("What the new ledger says of it", [state.value for state in PlanState]),
        commit=or_null(commit("The commit that its files are of; null where none is known")),
        files=number("How many live files of its own it has"),
        error=text("Why the next publish makes it anew; empty where it need not"),
    )
    return objects(
        "A state store that was made again from what is on the CDN",
        target=TARGET,
        release=or_null(release("The release that says so; null for a dry run")),
        commit=commit("The commit that counts as published"),
        live_files=number("How many files are live"),
        kept_files=number("How many files stand on though they are live no more"),
        plans=mapping("What became of each plan, by name", plan),
        drift=many("What is not as that commit makes it", "drift"),
    )
