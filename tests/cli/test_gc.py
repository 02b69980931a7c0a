"""Hashed keys and `exporter gc` as their user meets them, on a target in a folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.running import CONFIG, commit_all, content_repository, run

HASHED = CONFIG + "publish: {addressing: hashed}\n"
SOON = CONFIG + "publish: {addressing: hashed, keep: 1s}\n"
FILES = {
    "plans/P.yaml": "name: P\ntitle: Plan\nis_published: true\nsubjects:\n"
    "  - subject: S\n    sort_order: 1\n",
    "subjects/S/_subject.yaml": "name: S\ntitle: Subject\nis_published: true\n",
}
SUBJECT = "content-snapshot/subjects/S/_subject.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A target with two releases: the subject has another title in the second."""
    root = content_repository(tmp_path, FILES, HASHED)
    assert run(root, "publish").status == 0
    text = (root / SUBJECT).read_text("utf-8").replace("Subject", "Better")
    (root / SUBJECT).write_text(text, "utf-8")
    commit_all(root, "A better title")
    assert run(root, "publish").status == 0
    return root


def published(root: Path) -> set[str]:
    public = root / "public"
    return {file.relative_to(public).as_posix() for file in public.glob("[lp]*/**/*.json")}


def expire(root: Path) -> None:
    """Let everything that is kept have been live long ago."""
    state = root / ".exporter" / "local"
    for file in (state / "releases").glob("*.json"):
        release = json.loads(file.read_text("utf-8"))
        if release["kept"]:
            index = json.loads((state / "indexes" / f"{release['kept']}.json").read_text("utf-8"))
            for one in index["kept"].values():
                one["until"] = 0
            body = json.dumps(index).encode()
            release["kept"] = hashlib.sha256(body).hexdigest()
            (state / "indexes" / f"{release['kept']}.json").write_bytes(body)
            file.write_text(json.dumps(release), "utf-8")


def test_links_of_the_manifest_lead_to_files_named_by_their_bytes(root: Path) -> None:
    manifest = json.loads((root / "public/plans/P/manifest.json").read_text("utf-8"))
    urls = [manifest["search_index_url"], manifest["subjects"][0]["hierarchy_url"]]
    assert set(urls) < published(root)
    assert all(len(url.split(".")) == 3 for url in urls)


def test_verify_says_whether_it_looked_at_the_kept_files(root: Path) -> None:
    assert "1 kept file are as released" in run(root, "verify").out
    assert "(not at 1 kept file)" in run(root, "verify", "--sample", "2").out


def test_what_is_recent_stays_and_gc_says_until_when(root: Path) -> None:
    before = published(root)
    report = run(root, "gc", "--json").report
    assert (report["release"], report["files_deleted"], report["deleted"]) == (None, 0, [])
    assert (report["files_kept"], report["next_due"][-1]) == (1, "Z")
    said = run(root, "gc")
    assert said.status == 0
    assert said.out.startswith(
        "nothing to do: no file was live last more than 30 days ago\n1 file kept, the first of "
    )
    assert published(root) == before


def test_what_is_not_goes_after_a_dry_run_that_names_it(root: Path) -> None:
    expire(root)
    before = published(root)
    said = run(root, "gc", "--dry-run")
    assert (said.status, "1 file would be deleted" in said.out) == (0, True)
    dry = run(root, "gc", "--dry-run", "--json").report
    assert published(root) == before
    done = run(root, "gc", "--json").report
    assert {**done, "release": None, "dry_run": True} == dry
    assert before - published(root) == set(done["deleted"])
    assert [key.split(".")[0] for key in done["deleted"]] == ["plans/P/S_h"]
    newest = run(root, "releases", "1", "--json").report["releases"][0]
    assert (newest["id"], newest["kind"]) == (done["release"], "gc")
    assert run(root, "publish").out.startswith("nothing to do")
    assert run(root, "verify").status == 0


def test_show_and_explain_know_a_file_by_its_name(root: Path) -> None:
    files = run(root, "show", "live", "--json").report["files"]
    names = {what: [key.split(".")[0] for key in keys] for what, keys in files.items()}
    assert names == {"new": [], "changed": ["plans/P/S_h", "plans/P/manifest"], "deleted": []}
    for key in (files["changed"][0], "plans/P/S_h.json"):
        report = run(root, "explain", key, "--json").report
        assert report["key"] == files["changed"][0]
        assert report["document"]["name"] == "S"


def test_a_form_that_is_live_no_more_is_not_explained_by_another(root: Path) -> None:
    changed = run(root, "show", "live", "--json").report["files"]["changed"][0]
    [old] = [key for key in published(root) if key.startswith("plans/P/S_h.") and key != changed]
    for key in (old, f"/{old}", "plans/P/S_h.0123456789abcdef.json"):
        said = run(root, "explain", key)
        assert (said.status, f"another form of it is: {changed}" in said.err) == (2, True), said
        assert "is not live on this target" in said.err


def test_verify_counts_what_stands_on_and_mends_what_is_missing(root: Path) -> None:
    report = run(root, "verify", "--json").report
    assert (report["drift"], report["kept_files"]) == ([], 1)
    for file in (root / "public/plans/P").glob("S_h.*.json"):
        file.unlink()
    said = run(root, "verify")
    assert said.status == 1
    assert said.out.count("missing") == 2
    assert said.out.count(" (kept for rollbacks)\n") == 1
    repaired = run(root, "verify", "--repair")
    assert repaired.status == 0
    assert repaired.out.endswith(
        ": 1 file put right, 0 deleted; 1 kept file given up: a rollback makes it again\n"
    )
    assert run(root, "verify").status == 0


def test_going_back_puts_one_file_a_plan(root: Path) -> None:
    first = run(root, "releases", "--json").report["releases"][-1]
    assert run(root, "rollback", first["id"]).status == 0
    report = run(root, "publish", "--json").report
    assert (report["record"]["kind"], report["record"]["files_put"]) == ("rollback", 1)


def test_a_person_may_keep_for_less_long(root: Path) -> None:
    (root / "exporter.yaml").write_text(SOON, "utf-8")
    expire(root)
    assert "1 file deleted" in run(root, "gc").out
    assert run(root, "gc").out == "nothing to do: no file was live last more than 1 second ago\n"
