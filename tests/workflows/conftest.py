"""A school on GitHub: its repository with the workflows, its bucket, its CDN, its database.

The repository is what `exporter init` writes. Whatever a scenario does, no secret that its runs
were given may be readable afterwards: `school` looks at the end of each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, NullPool, create_engine

from exporter.demo.site import create_site, fill_site
from exporter.stores.s3 import S3Options, S3Store
from tests.forking import programs
from tests.publish.cdn_standin import CdnStandin, cdn_standin
from tests.publish.cloudflare_standin import CloudflareStandin, cloudflare_standin
from tests.servers import MariaDBDatabase, S3Server
from tests.workflows.github_api import Record, github_api
from tests.workflows.hub import Hub, Run

LESSONS = 20
ACTION = f"school/exporter@{'0' * 40}"


@dataclass
class School:
    """Everything that a scenario looks at."""

    hub: Hub
    server: S3Server
    bucket: str
    cloudflare: CloudflareStandin
    edge: CdnStandin
    desk: Path
    """A person's clone."""
    database: MariaDBDatabase | None = None
    settings: Record = field(default_factory=dict)
    """What exporter.yaml says besides."""

    @contextmanager
    def editing(self) -> Iterator[Connection]:
        """Open the site's database as Frappe would, for writing."""
        assert self.database is not None, "the scenario asks for no `site`"
        engine = create_engine(self.database.url, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def objects(self, below: str = "") -> dict[str, bytes]:
        """Return the objects of the bucket: `cdn/` is what readers see, `state/` the ledger."""
        with closing(self.server.client()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=below
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
            return {
                key.removeprefix(below): client.get_object(Bucket=self.bucket, Key=key)[
                    "Body"
                ].read()
                for key in keys
            }

    def put(self, key: str, body: bytes) -> None:
        """Overwrite an object behind everybody's back."""
        with closing(self.server.client()) as client:
            client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def title(self, lesson: str) -> str:
        """Return the title of a lesson as readers get it, through the edge's cache."""
        found, _ = self.edge.answer(f"/lessons/{lesson}.json", "")
        assert found is not None, lesson
        return str(json.loads(found.body)["title"])

    def live(self) -> Record:
        """Return the ledger's head: the release and the commit that are live."""
        head: Record = json.loads(self.objects("state/head.json")[""])
        return head

    def git(self, *arguments: str) -> str:
        """Run git on the person's desk."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.desk, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def exporter(self, *arguments: str) -> None:
        """Run a command on the person's desk, with the secrets and variables of the runs."""
        _exporter(self.desk, *arguments, environment={**self.hub.secrets, **self.hub.variables})

    def lesson_file(self, name: str) -> Path:
        """Return the file of a document on the desk."""
        [file] = (self.desk / "content-snapshot").rglob(f"{name}.yaml")
        return file

    def retitle(self, lesson: str, title: str) -> None:
        """Give a lesson another title, on the desk."""
        file = self.lesson_file(lesson)
        lines = file.read_text("utf-8").splitlines(keepends=True)
        place = next(i for i, line in enumerate(lines) if line.startswith("title: "))
        lines[place] = f"title: {json.dumps(title, ensure_ascii=False)}\n"
        file.write_text("".join(lines), "utf-8")

    def commit(self, message: str) -> str:
        """Commit what was edited on the desk, and bring the commit to the server."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        sha = self.git("rev-parse", "HEAD")
        self.hub.git("fetch", "--quiet", str(self.desk), sha)
        return sha

    def open_pull(self, branch: str, title: str, owner: str = "school") -> Record:
        """Open a pull request of the desk's newest commit; another owner's comes from a fork."""
        repo = {
            "full_name": f"{owner}/content",
            "fork": owner != "school",
            "owner": {"login": owner, "type": "User"},
        }
        sha = self.git("rev-parse", "HEAD")
        head = {"ref": branch, "label": f"{owner}:{branch}", "sha": sha, "repo": repo}
        pull = self.hub.api.open_pull(head, title)
        self.hub.pull_request(pull, "opened")
        return pull

    def push_edit(self, lesson: str, title: str) -> None:
        """Give a lesson another title, and push that to the main branch."""
        self.retitle(lesson, title)
        self.hub.push(self.commit(f"{lesson}: {title}"))


def ran(runs: list[Run]) -> list[tuple[str, str]]:
    """Return which workflows ran, and how each ended, without those that had nothing to do."""
    told = [(run.workflow, run.done.conclusion) for run in runs]
    return [each for each in told if each[1] != "skipped"]


@pytest.fixture
def school(tmp_path: Path, s3_server: S3Server, s3_bucket: str) -> Iterator[School]:
    """Return the school before its first snapshot; its edge caches, and forgets when told to."""
    (tmp_path / "artifacts").mkdir()
    origin = S3Store(s3_bucket, "cdn", S3Options(s3_server.endpoint_url), concurrency=8)
    with (
        pytest.MonkeyPatch.context() as keys,
        github_api(tmp_path / "artifacts") as api,
        cloudflare_standin() as cloudflare,
        cdn_standin(origin) as edge,
    ):
        keys.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        keys.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        cloudflare.accepted = _Forgetting(edge)
        secrets = {
            "EXPORTER_DATABASE_URL": "mysql+pymysql://reader:planted-password@127.0.0.1:1/site",
            "AWS_ACCESS_KEY_ID": s3_server.access_key,
            "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
            "CF_TOKEN": cloudflare.token,
            "NOTIFY_URL": api.webhook,
        }
        variables = {
            "EXPORTER_SNAPSHOT": "push",
            "EXPORTER_TARGET": "production",
            "CF_ZONE": cloudflare.zone,
        }
        hub = Hub(tmp_path / "github", api, secrets, variables)
        made = School(hub, s3_server, s3_bucket, cloudflare, edge, tmp_path / "desk")
        _begin(made)
        yield made
        assert api.unknown == []
        assert api.refused == []
        refuse_leaks(made)


@pytest.fixture
def site(school: School, mariadb_database: MariaDBDatabase) -> School:
    """Return the school with its site's database, and no snapshot yet."""
    school.database = mariadb_database
    school.hub.secrets["EXPORTER_DATABASE_URL"] = mariadb_database.tcp_url
    with school.editing() as connection:
        fill_site(connection, LESSONS)
    return school


@pytest.fixture
def content(school: School, made_content: Path) -> School:
    """Return the school with its content in the repository, and nothing published."""
    shutil.copytree(made_content, school.desk / "content-snapshot")
    school.hub.git("update-ref", "refs/heads/main", school.commit("The content"))
    return school


@pytest.fixture
def live(content: School) -> School:
    """Return the school after its first publish."""
    content.hub.push(content.hub.main)
    assert ran(content.hub.settle()) == [("publish.yml", "success")]
    return content


@pytest.fixture(scope="session")
def made_content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a snapshot of the demo school."""
    folder = tmp_path_factory.mktemp("content")
    create_site(folder / "site.db", LESSONS)
    _exporter(folder, "init", "--source", "sqlite:///site.db", "--action", ACTION)
    _exporter(folder, "snapshot", "--no-commit")
    return folder / "content-snapshot"


class _Forgetting(list[Record]):
    """The purges that Cloudflare accepted; each makes the edge forget."""

    def __init__(self, edge: CdnStandin) -> None:
        super().__init__()
        self._edge = edge

    def append(self, purge: Record) -> None:
        for url in purge["files"]:
            self._edge.purge(url.removeprefix(self._edge.base_url))
        super().append(purge)


def _begin(school: School) -> None:
    """Make the content repository."""
    school.desk.mkdir()
    _exporter(school.desk, "init", "--target", "production", "--action", ACTION)
    (school.desk / "exporter.yaml").write_text(_configuration(school), encoding="utf-8")
    school.git("add", "--all")
    school.git("commit", "--quiet", "-m", "A content repository")
    school.hub.create(school.desk)


def _configuration(school: School) -> str:
    target = {
        "store": f"s3://{school.bucket}/cdn",
        "state": f"s3://{school.bucket}/state",
        "s3": {"endpoint_url": school.server.endpoint_url},
        "base_url": school.edge.base_url,
        "purge": {
            "provider": "cloudflare",
            "zone_id": "${CF_ZONE}",
            "api_token": "${CF_TOKEN}",
            "endpoint": school.cloudflare.endpoint,
        },
    }
    preview = {
        "store": f"s3://{school.bucket}/previews/${{EXPORTER_PREVIEW}}/cdn",
        "state": f"s3://{school.bucket}/previews/${{EXPORTER_PREVIEW}}/state",
        "s3": {"endpoint_url": school.server.endpoint_url},
    }
    settings = {
        "source": {"url": "${EXPORTER_DATABASE_URL}"},
        "snapshot": {"author": "Content Snapshot <snapshot@school.example>"},
        "targets": {"production": target, "preview": preview},
        "notify": {"url": "${NOTIFY_URL}"},
        **school.settings,
    }
    return json.dumps(settings, indent=2) + "\n"


def refuse_leaks(school: School) -> None:
    """Fail where anything that anybody can read holds a secret of the runs."""
    secrets = dict(school.hub.secrets, token="ghs_planted")
    secrets["password"] = secrets["EXPORTER_DATABASE_URL"].split(":")[2].partition("@")[0]
    for place, text in school.hub.everything_said().items():
        for name, secret in secrets.items():
            assert secret not in text, f"{name} is readable in {place}"
    del secrets["AWS_ACCESS_KEY_ID"]  # no secret: it stands in every signed URL
    for key, body in school.objects().items():
        for name, secret in secrets.items():
            assert secret.encode() not in body, f"{name} is readable in the object {key}"


def _exporter(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(
        [programs() / "exporter", *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        check=True,
        capture_output=True,
    )
