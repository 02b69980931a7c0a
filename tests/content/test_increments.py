"""Whatever happens to site and clone: incremental == full == fresh clone, byte for byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import NullPool, create_engine

from exporter.content.candidates import Candidate, Held, Holding, Version
from exporter.content.comparing import compare
from exporter.content.repository import Commit, Repository
from exporter.content.snapshot import SnapshotOptions, take_snapshot
from exporter.content.texts import Texts
from exporter.core.files import render
from exporter.core.model import LESSON, PLAN, Ref
from exporter.core.tree import grow, place_of
from exporter.source.database import Source, open_source
from tests.content.edits import Edit, EditedSite, edit_lists
from tests.frappe_site import FrappeSite
from tests.servers import MariaDBServer

THOROUGH = os.environ.get("EXPORTER_THOROUGH") == "1"
FOLDER = "content-snapshot"
OPTIONS = SnapshotOptions(FOLDER)
UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

Step = tuple[list[Edit], str, int]

mishaps = st.sampled_from(
    ["", "", "", "full", "forget", "garble", "commit_elsewhere", "damage", "damage", "stray"]
)
sequences = st.lists(st.tuples(edit_lists, mishaps, st.integers(0, 59)), min_size=1, max_size=6)


def new_repository(folder: Path) -> Repository:
    subprocess.run(["git", "init", "-q", "--template=", str(folder)], check=True)
    return Repository(folder)


def git(repository: Repository, *arguments: str) -> str:
    return repository.git(*arguments).decode().strip()


def commit_all(repository: Repository) -> None:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", "by hand")


def expected(source: Source) -> dict[str, bytes]:
    """Return the snapshot folder of a site, the plain way."""
    snapshot = grow(source.documents())
    return {
        path: render(snapshot.documents[ref], orphan=path.startswith("orphans/")).encode()
        for ref, path in snapshot.paths.items()
    }


def committed(repository: Repository) -> dict[str, str]:
    """Return HEAD's snapshot folder; a file that the layout has no place for is left alone."""
    head = repository.head()
    tree = repository.tree(head.sha, FOLDER) if head else {}
    return {path: blob for path, blob in tree.items() if place_of(path)}


def hashes(repository: Repository, files: dict[str, bytes]) -> dict[str, str]:
    with closing(Texts(repository)) as texts:
        return {path: texts.hash(data) for path, data in files.items()}


def forget(repository: Repository, _which: int) -> None:
    (repository.private_dir / "digests").unlink(missing_ok=True)


def garble(repository: Repository, which: int) -> None:
    digests = repository.private_dir / "digests"
    if digests.exists():
        data = bytearray(digests.read_bytes())
        data[which * len(data) // 60] ^= 1 + which
        digests.write_bytes(data)


def commit_elsewhere(repository: Repository, which: int) -> None:
    (repository.root / "README").write_text(str(which))
    commit_all(repository)


def damage(repository: Repository, which: int) -> None:
    found = (repository.root / FOLDER).rglob("*.yaml")
    files = sorted(path for path in found if path.is_file())
    if files:
        file = files[which % len(files)]
        match which % 5:
            case 0:
                file.unlink()
            case 1:
                file.write_text("not: [YAML")
            case 2:
                file.write_text(file.read_text() + "# by hand\n")
            case 3:
                file.rename(file.with_name("moved.yaml"))
            case _:
                file.with_name("second.yaml").write_bytes(file.read_bytes())
        commit_all(repository)


def stray(repository: Repository, _which: int) -> None:
    for path in ("orphans/Memora Topic/z.yaml", "plans/z.yaml", "subjects/z/_subject.yaml"):
        file = repository.root / FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("name: z\n")
    commit_all(repository)


MISHAPS = {each.__name__: each for each in (forget, garble, commit_elsewhere, damage, stray)}


def live_through(url: str, steps: list[Step]) -> None:
    site, source = opened(url)
    site.bin.clear()
    site.empty()
    with TemporaryDirectory() as name:
        folder = Path(name)
        repository = new_repository(folder / "clone")
        for edits, mishap, which in steps:
            site.apply(*edits)
            if mishap in MISHAPS:
                MISHAPS[mishap](repository, which)
            options = replace(OPTIONS, full=mishap == "full")
            result = take_snapshot(repository, source, options)
            whole = hashes(repository, expected(source))
            assert committed(repository) == whole
            assert git(repository, "status", "--porcelain") == ""
            assert result.documents == len(whole)
            again = take_snapshot(repository, source, OPTIONS)
            assert (again.commit, again.changes) == (None, ())
        fresh = new_repository(folder / "fresh")
        take_snapshot(fresh, source, OPTIONS)
        assert committed(fresh) == committed(repository)
        found = compare(repository, source, FOLDER, {}, full=True)
        with closing(found.texts):
            assert found.candidates() == []


@cache
def opened(url: str) -> tuple[EditedSite, Source]:
    """Return a site's two ends, which keep the statements that they compiled."""
    return EditedSite(create_engine(url, poolclass=NullPool)), open_source(url)


@settings(max_examples=1_000 if THOROUGH else 80, suppress_health_check=UNHURRIED)
@given(steps=sequences)
def test_increments_are_exact_on_sqlite(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    file = tmp_path_factory.getbasetemp() / "increments.db"
    url = f"sqlite:///{file}"
    if not file.exists():
        FrappeSite.create(url)
    live_through(url, steps)


@pytest.fixture(scope="module")
def mariadb_url(mariadb: MariaDBServer) -> Iterator[str]:
    mariadb.execute("CREATE DATABASE increments CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci")
    yield FrappeSite.create(mariadb.url("increments")).url
    mariadb.execute("DROP DATABASE increments")


@settings(max_examples=1_000 if THOROUGH else 30, suppress_health_check=UNHURRIED)
@given(steps=sequences)
def test_increments_are_exact_on_mariadb(mariadb_url: str, steps: list[Step]) -> None:
    live_through(mariadb_url, steps)


def test_what_is_held_stays_held_and_everything_else_flows(tmp_path: Path) -> None:
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    site.add(PLAN, "P1", title="Plan")
    site.add_branch()
    site.add(LESSON, "L2", title="Second", parent_topic="P")
    repository = new_repository(tmp_path / "clone")
    bad: set[tuple[Ref, Version | None]] = set()

    def hold(
        _repository: Repository, _head: Commit, found: Sequence[Candidate], _texts: Texts
    ) -> Holding:
        instead = {each.ref: each.before for each in found if (each.ref, each.after) in bad}
        held = tuple(Held(ref, "", "", "", "", "rolled back") for ref in instead)
        return Holding(held, instead)

    def take() -> tuple[set[Ref], str]:
        options = replace(OPTIONS, hold=hold)
        result = take_snapshot(repository, open_source(site.url), options)
        return {each.ref for each in result.held}, result.message.split("\n", maxsplit=1)[0]

    take()
    right = committed(repository)
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Bad' WHERE name = 'L1'")
    site.execute("DELETE FROM `tabMemora Lesson` WHERE name = 'L2'")
    site.add(LESSON, "L3", title="Third", parent_topic="P")
    found = compare(repository, open_source(site.url), FOLDER, {})
    with closing(found.texts):
        bad |= {(each.ref, each.after) for each in found.candidates()}
    rolled_back = {(LESSON, "L1"), (LESSON, "L2"), (LESSON, "L3")}
    assert {ref for ref, _ in bad} == rolled_back
    for _ in range(10):
        assert take() == (rolled_back, "")
        assert committed(repository) == right
    site.execute("UPDATE `tabMemora Topic` SET title = 'Better'")
    assert take() == (rolled_back, "content: 1 topic changed (Subject)")
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Good' WHERE name = 'L1'")
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Good' WHERE name = 'L3'")
    held, message = take()
    assert (held, message) == (
        {(LESSON, "L2")},
        "content: 1 lesson added, 1 lesson changed (Subject)",
    )
    site.execute("DELETE FROM `tabMemora Topic`")
    assert take() == ({(LESSON, "L2")}, "content: 3 lessons moved, 1 topic removed (Subject)")
    assert set(committed(repository)) == {
        "plans/P1.yaml",
        "subjects/S/T/U/_unit.yaml",
        "subjects/S/T/_track.yaml",
        "subjects/S/_subject.yaml",
        *(f"orphans/Memora Lesson/L{number}.yaml" for number in (1, 2, 3)),
    }
