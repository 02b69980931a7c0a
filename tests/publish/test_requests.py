"""How many requests a publish costs: what changed and a small constant, whatever the site's size.

Counted at the stores' interface, and at the proxy in front of a real S3 server. 50,000 lessons with
EXPORTER_THOROUGH=1, else 2,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.core.model import Document
from tests.core.school import lesson, plan, subject, topic, track, unit
from tests.forking import programs
from tests.publish.publishing import SchoolRepository, Target
from tests.publish.schools import changed
from tests.servers import S3Server
from tests.stores.bad_network import bad_network

LARGE = 50_000 if os.environ.get("EXPORTER_THOROUGH") else 2_000
A_SUBJECT = 250
CONFIG = """\
source: {{url: "sqlite:///site.db"}}
targets:
  production:
    store: s3://{bucket}/cdn
    state: s3://{bucket}/state
    s3: {{endpoint_url: "{endpoint}"}}
"""


def site(lessons: int) -> list[Document]:
    """Return a school of two plans that share every other subject, ten lessons a topic."""
    found: list[Document] = []
    names = [f"S{number}" for number in range(-(-lessons // A_SUBJECT))]
    for name in names:
        found += [subject(name), track(f"{name}-T", name), unit(f"{name}-U", f"{name}-T")]
        for number in range(A_SUBJECT // 10):
            found.append(topic(f"{name}-O{number}", f"{name}-U"))
            found += [
                lesson(f"{name}-{bit}", f"{name}-O{number}", bit)
                for bit in range(number * 10, number * 10 + 10)
            ]
    return [*found, plan("ALL", names), plan("SOME", names[::2]), plan("REST", names[1::2])]


def edited(documents: Sequence[Document]) -> list[Document]:
    return changed(documents, "S0-7", title="A better title")


def requests_for_one_edit(folder: Path, lessons: int) -> tuple[Counter[str], Counter[str], int]:
    """Publish a site, then one edit; return the calls to both stores, and the files put."""
    school = SchoolRepository(folder)
    target = Target(school)
    documents = site(lessons)
    target.publish(school.commit(documents))
    assert len(target.cdn.bodies) > lessons
    commit = school.commit(edited(documents))
    target.cdn.calls.clear()
    target.state.calls.clear()
    published = target.publish(commit)
    assert published is not None
    counts = target.cdn.counts, target.state.counts
    assert target.audit() == []
    return (*counts, published.files_put)


def test_one_edited_lesson_costs_as_many_requests_in_a_large_site_as_in_a_small_one(
    tmp_path: Path,
) -> None:
    small = requests_for_one_edit(tmp_path / "small", A_SUBJECT)
    large = requests_for_one_edit(tmp_path / "large", LARGE)
    for cdn, state, put in (small, large):
        assert cdn == Counter(put=put)
        assert set(state) == {"get", "put"}
        assert sum(state.values()) <= 32
    assert small[1] == large[1], "what is asked of the ledger does not grow with the site"
    assert large[2] <= small[2] + 2


def exporter(folder: Path, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [programs() / "exporter", "-C", folder, *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def imported(folder: Path, *arguments: str) -> set[str]:
    """Run a command; return the modules that it loaded."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "exporter", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}


SLOW = {
    "boto3",
    "botocore",
    "exporter.build.builder",
    "exporter.content.reading",
    "exporter.core.checks",
    "exporter.publish.preparation",
    "exporter.publish.publisher",
    "git",
    "httpx",
    "sqlalchemy",
    "sqlite3",
    "xml.sax",
}
"""What takes long to import, and is of no use where there is nothing to do."""


@pytest.mark.parametrize("reference", ["", "1"], ids=["as it is", "by boto3 alone"])
def test_requests_at_the_s3_server(
    reference: str,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("EXPORTER_REFERENCE", reference)
    school = SchoolRepository(tmp_path / "school")
    documents = site(A_SUBJECT)
    with bad_network(s3_server.endpoint_url) as network:
        text = CONFIG.format(bucket=s3_bucket, endpoint=network.endpoint_url)
        (school.folder / "exporter.yaml").write_text(text, "utf-8")
        school.commit(documents)
        exporter(school.folder, "publish")
        network.seen.clear()
        assert exporter(school.folder, "publish")["changed"] is False
        assert [one.method for one in network.seen] == ["GET"] * 3
        loaded = imported(school.folder, "publish")
        assert "exporter.publish.planning" in loaded
        assert SLOW & loaded == ({"boto3", "botocore"} if reference else set())
        school.commit(edited(documents))
        network.seen.clear()
        done = exporter(school.folder, "publish")
    seen = Counter((one.method, one.path.startswith(f"/{s3_bucket}/cdn/")) for one in network.seen)
    record = done["record"]
    assert isinstance(record, dict)
    assert seen.pop(("PUT", True)) == record["files_put"]
    assert set(seen) == {("GET", False), ("PUT", False)}
    assert sum(seen.values()) <= 32
    assert [one.path for one in network.seen if "list-type" in one.path] == []
