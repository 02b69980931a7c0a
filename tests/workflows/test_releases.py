"""From the database to readers and back, by the workflows alone."""

from __future__ import annotations

import hashlib

from exporter.demo.site import edit_lesson_title
from tests.e2e.reader import crawl
from tests.publish.cloudflare_standin import Played
from tests.workflows.conftest import School, ran
from tests.workflows.hub import Hub, Run

EVERY_FIVE_MINUTES = "*/5 * * * *"
LESSON, OTHER, THIRD = "LESSON-MATH-001", "LESSON-MATH-002", "LESSON-COMP-003"
CALLER = """\
name: Start of term
on: workflow_dispatch
jobs:
  publish:
    permissions: {contents: read}
    uses: ./.github/workflows/publish.yml
    with: {target: production}
    secrets: inherit
"""
BOTH = [("snapshot.yml", "success"), ("publish.yml", "success")]


def test_an_edit_reaches_readers_and_a_rollback_outlives_the_next_schedule(site: School) -> None:
    hub = site.hub
    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == BOTH
    first, files = site.live(), site.objects("cdn/")
    assert first["commit"] == hub.main
    assert crawl(files) == files.keys()
    good = site.title(LESSON)

    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == BOTH[:1], "nothing changed: nothing is committed or published"
    assert site.live() == first

    _edit(site, LESSON, "A title with a mistaek")
    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == BOTH
    assert site.title(LESSON) == "A title with a mistaek"

    hub.dispatch("rollback.yml", release=first["release"], deliver="commit")
    assert ran(hub.settle()) == [("rollback.yml", "success"), ("publish.yml", "success")]
    assert site.title(LESSON) == good
    back = site.live()
    assert f"Exporter-Rollback: {first['release']}" in hub.git("log", "-1", "main")

    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == BOTH[:1]
    assert f"held: {LESSON}" in hub.last("snapshot.yml").said
    assert LESSON in hub.last("snapshot.yml").summary
    assert site.live() == back

    _edit(site, OTHER, "Flows on")
    hub.schedule(EVERY_FIVE_MINUTES)
    hub.run(hub.waiting[0])
    [publish] = hub.waiting
    hub.cancel(publish)  # as a rerun of an older publish, which takes the place that waits, does
    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == BOTH, "its commit is published all the same"
    assert (site.title(LESSON), site.title(OTHER)) == (good, "Flows on")

    _edit(site, LESSON, "A title without a mistake")
    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == BOTH
    assert site.title(LESSON) == "A title without a mistake"


def test_snapshots_and_rollbacks_for_review_become_pull_requests(site: School) -> None:
    hub, api = site.hub, site.hub.api
    hub.variables["EXPORTER_SNAPSHOT"] = "pull-request"
    start = hub.main
    hub.schedule(EVERY_FIVE_MINUTES)
    assert ran(hub.settle()) == [("snapshot.yml", "success")]
    assert [(pull["head"]["ref"], pull["state"]) for pull in api.pulls] == [("content", "open")]
    assert hub.main == start, "nothing reaches the main branch without a review"

    hub.push(hub.git("rev-parse", "refs/heads/content").strip())
    assert ran(hub.settle()) == [("publish.yml", "success")]
    released = site.live()["release"]
    api.pulls[0]["state"] = "closed"

    _edit(site, LESSON, "To be taken back")
    hub.schedule(EVERY_FIVE_MINUTES)
    hub.settle()
    _edit(site, OTHER, "In the same pull request")
    hub.schedule(EVERY_FIVE_MINUTES)
    hub.settle()
    assert [pull["state"] for pull in api.pulls] == ["closed", "open"]
    assert "In the same pull request" in api.pulls[1]["body"]
    hub.push(hub.git("rev-parse", "refs/heads/content").strip())
    hub.settle()
    merged = hub.main

    hub.dispatch("rollback.yml", release=released, deliver="pull-request")
    assert ran(hub.settle()) == [("rollback.yml", "success")]
    assert hub.main == merged
    branch = api.pulls[-1]["head"]["ref"]
    assert released in hub.git("log", "-1", f"refs/heads/{branch}")


def _edit(site: School, lesson: str, title: str) -> None:
    with site.editing() as connection:
        edit_lesson_title(connection, lesson, title)


def test_cancelled_and_reordered_publishes_lose_nothing_and_never_go_back(live: School) -> None:
    hub, cloudflare = live.hub, live.cloudflare
    live.push_edit(LESSON, "Cancelled while it uploads")
    [first] = hub.waiting
    hub.run(first, lambda: _has_said(hub, first, b"uploading"))
    live.push_edit(OTHER, "Cancelled while it purges")
    asked = len(cloudflare.requests)
    cloudflare.next_answers.append(Played(429, b"{}", {"Retry-After": "30"}))
    second = hub.run(hub.waiting[0], lambda: len(cloudflare.requests) > asked)
    assert [first.done.conclusion, second.done.conclusion] == ["cancelled"] * 2

    live.push_edit(THIRD, "Cancelled while it waits")
    live.push_edit(THIRD, "Published")
    hub.supersede()
    hub.variables["EXPORTER_ATTEST"] = "true"
    assert ran(hub.settle()) == [("publish.yml", "success")]
    assert {name: live.title(name) for name in (LESSON, OTHER, THIRD)} == {
        LESSON: "Cancelled while it uploads",
        OTHER: "Cancelled while it purges",
        THIRD: "Published",
    }
    files, state = live.objects("cdn/"), live.objects("state/")
    assert crawl(files) == files.keys()
    assert [key for key in state if key.startswith("purges/")] == []
    release = live.live()["release"]
    record = hashlib.sha256(state[f"releases/{release}.json"]).hexdigest()
    assert f"attested {release} as sha256:{record}" in hub.last("publish.yml").said

    late = hub.run(hub.again(first))
    assert late.done.conclusion == "failure"
    assert "exit status 3" in late.done.log
    assert "may be older than what is live" in late.done.summary
    assert live.objects("cdn/") == files
    assert live.objects("state/head.json")[""] == state["head.json"]


def test_publish_can_be_called_by_a_workflow_of_the_schools_own(content: School) -> None:
    hub = content.hub
    (content.desk / ".github" / "workflows" / "term.yml").write_text(CALLER, encoding="utf-8")
    hub.git("update-ref", "refs/heads/main", content.commit("Our own workflow"))
    hub.variables["EXPORTER_TARGET"] = ""
    hub.dispatch("publish.yml")
    assert ran(hub.settle()) == [], "without a target it sleeps"
    hub.dispatch("term.yml")
    assert ran(hub.settle()) == [("term.yml", "success")]
    assert content.live()["commit"] == hub.main


def test_a_plan_that_is_held_back_is_seen_where_people_look(live: School) -> None:
    hub, plan = live.hub, "GRADE-12-SCI-2026"
    before = live.objects(f"cdn/plans/{plan}/")
    file = live.lesson_file(plan)
    good = file.read_text("utf-8")
    file.write_text(good.replace("SUBJECT-PHYS", "NO-SUCH-SUBJECT"), "utf-8")
    live.retitle(LESSON, "Goes on")
    hub.push(live.commit("A subject that is not there"))
    assert ran(hub.settle()) == [("publish.yml", "failure")]
    run = hub.last("publish.yml")
    assert "exit status 1" in run.log
    assert f"**{plan}** held back: E" in run.summary
    assert "NO-SUCH-SUBJECT" in run.summary
    errors = [each.properties for each in run.annotations if each.kind == "error"]
    assert [(each.get("file"), each["title"]) for each in errors] == [
        (
            f"content-snapshot/plans/{plan}.yaml",
            "E111 plan lists a subject that does not exist, or twice",
        ),
        (None, f"Plan {plan} held back"),
    ]
    [notice] = hub.api.notices
    assert f"{plan} held back" in notice["text"]
    assert live.objects(f"cdn/plans/{plan}/") == before
    assert live.title(LESSON) == "Goes on"

    file.write_text(good, "utf-8")
    hub.push(live.commit("The subject that is there"))
    assert ran(hub.settle()) == [("publish.yml", "success")]
    assert hub.api.notices == [notice]
    assert live.objects(f"cdn/plans/{plan}/") != before


def _has_said(hub: Hub, run: Run, words: bytes) -> bool:
    return words in (hub.folder / str(run.record["id"]) / "log").read_bytes()
