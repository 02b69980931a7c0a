"""Whatever happens to site and clone: incremental == full == fresh clone, byte for byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
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
from exporter.core.model import LESSON, PLAN, TOPIC, Ref
from exporter.core.parts import Part, part_of, summed
from exporter.core.tree import grow, place_of
from exporter.source.database import Source, View, open_source
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


@dataclass
class AddingUp:
    """A source that adds up digests as MariaDB does, whatever its database can do."""

    source: Source
    strays: Mapping[Part, int] = field(default_factory=dict)

    @contextmanager
    def view(self) -> Iterator[AddingUpView]:
        with self.source.view() as view:
            yield AddingUpView(view, self.strays)


class AddingUpView:
    def __init__(self, view: View, strays: Mapping[Part, int]) -> None:
        self._view = view
        self._strays = strays
        self.identity = view.identity
        self.size, self.everything, self.documents = view.size, view.everything, view.documents

    def sums(self) -> dict[Part, int | None]:
        sums = summed(self._view.digests())
        return sums | {part: (sums.get(part) or 0) + more for part, more in self._strays.items()}

    def digests(self, parts: Collection[Part] | None = None) -> Iterator[tuple[Ref, int | None]]:
        found = self._view.digests()
        return (each for each in found if parts is None or part_of(each[0]) in parts)


def live_through(url: str, steps: list[Step]) -> None:
    """What one way remembers, the other goes on from."""
    site, source = opened(url)
    first = AddingUp(source) if url.startswith("sqlite") else source
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
            result = take_snapshot(repository, first, options)
            whole = hashes(repository, expected(source))
            assert committed(repository) == whole
            assert git(repository, "status", "--porcelain") == ""
            assert result.documents == len(whole)
            again = take_snapshot(repository, source, OPTIONS)
            assert (again.commit, again.changes) == (None, ())
            assert again.documents == len(whole)
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


@settings(max_examples=1_000 if THOROUGH else 60, suppress_health_check=UNHURRIED)
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


@settings(max_examples=1_000 if THOROUGH else 20, suppress_health_check=UNHURRIED)
@given(steps=sequences)
def test_increments_are_exact_on_mariadb(mariadb_url: str, steps: list[Step]) -> None:
    live_through(mariadb_url, steps)


def test_lessons_of_other_parts_are_left_out_until_somebody_moves(tmp_path: Path) -> None:
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    site.add(PLAN, "P1", title="Plan")
    site.add_branch()
    for number in range(2, 30):
        site.add(LESSON, f"L{number}", title="Another", parent_topic="P")
    source, repository = AddingUp(open_source(site.url)), new_repository(tmp_path / "clone")
    take_snapshot(repository, source, OPTIONS)

    def lessons_seen() -> tuple[set[str], int]:
        found = compare(repository, source, FOLDER, {})
        with closing(found.texts):
            named = {name for doctype, name in found.before if doctype == LESSON}
            if found.before:
                whole = found.whole()
                assert whole.before.keys() >= {(LESSON, f"L{n}") for n in range(1, 30)}
                assert whole.candidates() == found.candidates()
            return named, found.left_out

    assert lessons_seen() == (set(), 34)
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Better' WHERE name = 'L2'")
    assert lessons_seen() == ({"L2"}, 28)
    result = take_snapshot(repository, source, OPTIONS)
    assert result.message.startswith("content: 1 lesson changed (Subject)\n")
    assert (result.documents, result.files_written) == (34, 1)
    site.execute("UPDATE `tabMemora Lesson` SET parent_topic = 'gone' WHERE name = 'L3'")
    site.add(LESSON, "l4", title="Clashes", parent_topic="P")
    result = take_snapshot(repository, source, OPTIONS)
    assert (result.documents, result.files_written, result.files_deleted) == (35, 2, 1)
    assert committed(repository) == hashes(repository, expected(source.source))
    assert lessons_seen() == (set(), 35)


def test_a_part_of_which_only_the_sum_changed_is_looked_at_once(tmp_path: Path) -> None:
    """As a row is part of a sum whose document is not there."""
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    site.add_branch()
    source, repository = AddingUp(open_source(site.url)), new_repository(tmp_path / "clone")
    take_snapshot(repository, source, OPTIONS)
    source.strays = {part_of((LESSON, "L1")): 5, (TOPIC, 3): 7}
    for unchanged in (False, True):
        found = compare(repository, source, FOLDER, {})
        with closing(found.texts):
            assert (found.unchanged, found.candidates()) == (unchanged, [])
        assert take_snapshot(repository, source, OPTIONS).commit is None
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Better'")
    assert take_snapshot(repository, source, OPTIONS).files_written == 1


@pytest.mark.parametrize(
    "damaged",
    [lambda whole: whole[:-2] + b" ]", lambda whole: b"\n".join(whole.split(b"\n")[:2])],
    ids=["another byte", "cut off"],
)
def test_damage_is_met_by_who_reads_it(tmp_path: Path, damaged: Callable[[bytes], bytes]) -> None:
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    site.add_branch()
    source, repository = AddingUp(open_source(site.url)), new_repository(tmp_path / "clone")
    take_snapshot(repository, source, OPTIONS)
    digests = repository.private_dir / "digests"
    digests.write_bytes(damaged(digests.read_bytes()))
    found = compare(repository, source, FOLDER, {})
    with closing(found.texts):
        assert found.unchanged
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Better'")
    found = compare(repository, source, FOLDER, {})
    with closing(found.texts):
        assert not found.remembered
    assert take_snapshot(repository, source, OPTIONS).files_written == 1


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
