"""Trees made folder by folder, beside git's own way: an index of everything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.content.commands import Git
from exporter.content.trees import tree_with
from exporter.errors import GitError

Files = Mapping[str, str]

NAMES = st.sampled_from(["a", "a.b", "a-", "ab", "b", "é", "x y", "%00", '"q"'])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def is_possible(files: Files) -> bool:
    """Tell whether no file lies where the folder of another one has to be."""
    return not any(other.startswith(f"{path}/") for path in files for other in files)


SCHOOLS = st.dictionaries(PATHS, st.sampled_from(["1", "2", "3"]), max_size=8).filter(is_possible)


class Place:
    """A repository in which nothing is checked out."""

    def __init__(self, folder: Path, form: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.git(f"init --quiet --object-format={form}")
        self.runner = Git(folder)

    def git(self, command: str, feed: bytes = b"", **env: str) -> str:
        found = subprocess.run(
            ["git", *command.split()],
            cwd=self.folder,
            input=feed,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            check=True,
        )
        return found.stdout.decode().strip()

    def blob(self, content: str) -> str:
        return self.git("hash-object -w --stdin", content.encode())

    def by_index(self, files: Files, mode: str = "100644") -> str:
        index = str(self.folder / "index")
        self.git("read-tree --empty", GIT_INDEX_FILE=index)
        lines = "".join(f"{mode} {self.blob(body)}\t{path}\0" for path, body in files.items())
        self.git("update-index -z --index-info", lines.encode(), GIT_INDEX_FILE=index)
        return self.git("write-tree", GIT_INDEX_FILE=index)

    def commit(self, tree: str) -> str:
        identity = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME")
        names = dict.fromkeys((*identity, "GIT_COMMITTER_EMAIL"), "x")
        return self.git(f"commit-tree {tree} -m x", b"", **names)

    def changed(self, commit: str, before: Files, after: Files) -> str:
        """Return the tree after what differs, as a snapshot says it."""
        gone = dict.fromkeys(before.keys() - after.keys(), "")
        put = {path: self.blob(body) for path, body in after.items() if before.get(path) != body}
        return tree_with(self.runner, commit, {**put, **gone})


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("trees") / "content", request.param)


@settings(max_examples=1000 if os.environ.get("EXPORTER_THOROUGH") else 25, deadline=None)
@given(before=SCHOOLS, after=SCHOOLS)
def test_a_changed_tree_is_the_one_that_an_index_gives(
    place: Place, before: Files, after: Files
) -> None:
    commit = place.commit(place.by_index(before))
    assert place.changed(commit, before, after) == place.by_index(after)
    assert place.changed("", {}, after) == place.by_index(after)


def test_what_is_not_named_stays_as_it_is(place: Place) -> None:
    """Among it programs, links, other repositories, and whatever lies elsewhere."""
    other = place.commit(place.by_index({}))
    lines = [f"120000 blob {place.blob('there')}\tlink", f"160000 commit {other}\tmodule"]
    lines += [
        f"100755 blob {place.blob('run')}\trun",
        f"040000 tree {place.by_index({'a': '1'})}\tz",
    ]
    kept = place.git("mktree", "\n".join(lines).encode())
    content = place.git(
        "mktree", f"040000 tree {kept}\tcontent\n100755 blob {place.blob('x')}\tx".encode()
    )
    new = place.blob("new")
    tree = tree_with(
        place.runner, place.commit(content), {"content/z/b": new, "x": new, "no/c": ""}
    )
    listing = place.git(f"ls-tree -r {tree}").splitlines()
    assert [line.split()[0] + " " + line.split("\t")[1] for line in listing] == [
        "120000 content/link",
        "160000 content/module",
        "100755 content/run",
        "100644 content/z/a",
        "100644 content/z/b",
        "100644 x",
    ]


def test_a_blob_that_git_lacks_is_an_error(place: Place) -> None:
    lacking = "1" * len(place.blob("1"))
    with pytest.raises(GitError, match="mktree"):
        tree_with(place.runner, "", {"a/b": lacking})
