"""A large publish shared by the jobs of a matrix."""

from __future__ import annotations

import json

from tests.e2e.reader import crawl
from tests.workflows.conftest import School, ran

SHARED = "LESSON-MATH-001"


def test_jobs_share_a_publish_where_that_pays_and_one_does_the_rest(content: School) -> None:
    hub = content.hub
    hub.variables["EXPORTER_SHARDS"] = "2"
    content.settings["publish"] = {"addressing": "hashed"}
    file = content.desk / "exporter.yaml"
    settings = {**json.loads(file.read_text("utf-8")), **content.settings}
    file.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")

    hub.push(content.commit("Keys with digests"))
    assert ran(hub.settle()) == [("publish.yml", "success")]
    run = hub.last("publish.yml")
    assert run.jobs == {"plan": "success", "prepare": "success", "publish": "success"}
    assert run.said.count("is ready: ") == 2
    files, state = content.objects("cdn/"), content.objects("state/")
    assert crawl(files) == files.keys()
    assert [key for key in state if key.startswith("shards/")] == []
    assert content.live()["commit"] == hub.main
    plans = json.loads(state[f"releases/{content.live()['release']}.json"])["plans"]
    assert {one["state"] for one in plans.values()} == {"published"}

    hub.push(content.commit("Nothing that students see"))
    assert ran(hub.settle()) == [("publish.yml", "success")]
    run = hub.last("publish.yml")
    assert run.jobs == {"plan": "success", "publish": "success"}
    assert "nothing to share out" in run.said
    assert content.live()["commit"] == hub.main
    assert content.objects("cdn/") == files
