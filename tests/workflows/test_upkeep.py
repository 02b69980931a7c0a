"""What runs by the clock besides snapshots: signing URLs again, comparing the CDN."""

from __future__ import annotations

import json

from tests.workflows.conftest import School, ran

HOURLY, NIGHTLY, REFRESH = "41 * * * *", "11 2 * * *", "23 * * * *"
FILMS = "https://media.example.org/"


def test_drift_becomes_one_issue_that_is_updated_and_closed(live: School) -> None:
    hub, api = live.hub, live.hub.api
    hub.schedule(NIGHTLY)
    assert ran(hub.settle()) == [("verify.yml", "success")]
    assert api.issues == []

    broken, gone = [f"lessons/LESSON-MATH-00{n}.json" for n in (1, 2)]
    live.put(f"cdn/{broken}", b"{}")
    hub.schedule(HOURLY)
    assert ran(hub.settle()) == [("verify.yml", "failure")]
    [issue] = api.issues
    assert broken in issue["body"]
    assert gone not in issue["body"]

    live.put(f"cdn/{gone}", b"{}")
    hub.schedule(NIGHTLY)
    hub.settle()
    [issue] = api.issues
    assert issue["state"] == "open"
    assert broken in issue["body"]
    assert gone in issue["body"]
    assert api.comments == []

    live.exporter("verify", "--target", "production", "--repair")
    hub.schedule(NIGHTLY)
    assert ran(hub.settle()) == [("verify.yml", "success")]
    [issue] = api.issues
    [comment] = api.comments
    assert (issue["state"], comment["issue"]) == ("closed", issue["number"])


def test_signed_urls_are_signed_again_before_they_expire(content: School) -> None:
    hub, file = content.hub, content.desk / "exporter.yaml"
    rule = {"prefix": FILMS, "bucket": "films", "expires": "1h"}
    media = {"signed": [rule], "refresh_before": "3599s"}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "media": media}), "utf-8")
    hub.push(content.commit("Films are private"))
    assert ran(hub.settle()) == [("publish.yml", "success")]
    before = _signed(content)
    assert before

    hub.schedule(REFRESH)
    assert ran(hub.settle()) == [("refresh.yml", "success")]
    after = _signed(content)
    assert after.keys() == before.keys()
    for key, (expiry, version) in after.items():
        assert expiry > before[key][0]
        assert version == before[key][1]
    assert content.live()["commit"] == hub.main


def _signed(content: School) -> dict[str, tuple[str, int]]:
    """Return until when each signed lesson's URLs work, and its version."""
    lessons = {key: json.loads(body) for key, body in content.objects("cdn/lessons/").items()}
    return {
        key: (lesson["signed_url_expiry"], lesson["version"])
        for key, lesson in lessons.items()
        if "signed_url_expiry" in lesson
    }
