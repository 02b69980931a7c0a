"""`exporter init` in an empty folder: a repository in which everything works at once (issue 6)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from exporter.cli.init import WORKFLOWS, own_action, workflow_files
from exporter.demo.site import create_site
from tests.cli.running import run
from tests.e2e.command_line import Place

ROOT = Path(__file__).parents[2]
OURS = ROOT / ".github" / "workflows"
ACTION = f"school/exporter@{'a' * 40}"
BIN = Path(sys.executable).parent


@pytest.fixture
def place(tmp_path: Path) -> Place:
    said = run(tmp_path, "init", "--source", "sqlite:///site.db", "--action", ACTION)
    assert said.status == 0
    return Place(tmp_path)


def test_doctor_snapshot_check_and_publish_work_at_once(place: Place) -> None:
    create_site(place.root / "site.db", 20)
    place.exporter("doctor")
    place.git("config", "user.name", "Somebody")
    place.git("config", "user.email", "somebody@example.org")
    place.commit_all("A content repository")
    place.exporter("snapshot")
    place.exporter("check")
    place.exporter("publish")
    assert place.exporter("status", "--json").report["unpublished_commits"] == []
    assert place.published()
    assert place.git("status", "--porcelain") == ""


def test_the_workflows_are_this_repositorys_own_but_for_the_action(place: Place) -> None:
    written = {file.name for file in (place.root / ".github" / "workflows").iterdir()}
    assert written == set(WORKFLOWS)
    for name in WORKFLOWS:
        theirs = (place.root / ".github" / "workflows" / name).read_text(encoding="utf-8")
        ours = (OURS / name).read_text(encoding="utf-8")
        assert ours.count("uses: ./\n") == theirs.count(f"uses: {ACTION}\n") > 0
        assert theirs.replace(f"uses: {ACTION}\n", "uses: ./\n") == ours


def test_every_workflow_is_either_written_by_init_or_this_projects_alone() -> None:
    alone = {"ci.yml", "release.yml"}
    assert {file.name for file in OURS.glob("*.yml")} - alone == set(WORKFLOWS)


def test_a_wheel_holds_the_workflows() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    packed = build["build"]["targets"]["wheel"]["force-include"]
    assert packed[".github/workflows"] == "exporter/workflows"
    assert ".github/workflows" in build["build"]["targets"]["sdist"]["only-include"]


@pytest.mark.parametrize(
    "linter",
    [
        "check-jsonschema --builtin-schema vendor.github-workflows {files}",
        "actionlint {files}",
        "yamllint --strict --config-file {root}/.yamllint.yaml {files}",
        "zizmor --offline --quiet {files}",
    ],
    ids=lambda linter: linter.split()[0],
)
def test_the_workflows_pass_the_linters(place: Place, linter: str) -> None:
    files = [str(place.root / path) for path in workflow_files(ACTION)]
    words = linter.replace("{root}", str(ROOT)).split()
    command = [str(BIN / words[0]), *words[1:-1], *files]
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=place.root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_expression_stands_in_a_shell_line_and_every_action_is_pinned() -> None:
    for name in (*WORKFLOWS, "../../action.yml"):
        text = (OURS / name).read_text(encoding="utf-8")
        for script in re.findall(r"\brun: (?:[>|]-?\n((?: {8,}.*\n|\n)*)|(.*))", text):
            assert "${{" not in "".join(script), (name, script)
        for action in re.findall(r"uses: (\S+)", text):
            assert action == "./" or re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action), name


def test_what_is_there_stays(place: Place) -> None:
    publish = place.root / ".github" / "workflows" / "publish.yml"
    publish.write_text("mine", encoding="utf-8")
    said = run(place.root, "init")
    assert "kept    .github/workflows/publish.yml (it was there)" in said.out
    assert publish.read_text(encoding="utf-8") == "mine"


def test_another_action_is_named_in_the_workflows_that_nobody_edited(place: Place) -> None:
    other = f"college/tools/exporter@{'b' * 40}"
    edited = place.root / ".github" / "workflows" / "publish.yml"
    text = edited.read_text(encoding="utf-8").replace("timeout-minutes: ", "timeout-minutes: 1")
    edited.write_text(text, encoding="utf-8")
    said = run(place.root, "init", "--action", other)
    assert said.status == 0
    for path, wanted in workflow_files(other).items():
        found = (place.root / path).read_text(encoding="utf-8")
        if path.endswith("/publish.yml"):
            assert found == text
            assert f"kept    {path}, which is not as `init` writes it: there, write" in said.out
        else:
            assert found == wanted, path
            assert f"renamed {path}: it uses {other} now\n" in said.out
    again = run(place.root, "init", "--action", other)
    assert "renamed" not in again.out
    assert again.out.count("(it was there)") == 3 + len(WORKFLOWS) - 1


def test_an_action_is_named_by_a_full_hash_or_refused(tmp_path: Path) -> None:
    for ref in ("main", "v1.0.0", "a" * 39, "A" * 40):
        said = run(tmp_path, "init", "new", "--action", f"school/exporter@{ref}")
        assert said.status == 2
        assert "write --action OWNER/REPO@COMMIT, with all 40 digits" in said.err
    assert not (tmp_path / "new").exists()


def test_verify_looks_through_the_cdn_only_where_that_variable_is_true() -> None:
    text = (OURS / "verify.yml").read_text(encoding="utf-8")
    assert text.count("EXPORTER_VIA_CDN") == 1
    assert "VIA_CDN: ${{ vars.EXPORTER_VIA_CDN == 'true' && 'true' || '' }}\n" in text
    assert "${VIA_CDN:+--via-cdn}" in text


def test_an_action_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for wrong in ("exporter", "school/exporter", "school/exporter@a\n- run: x", "./@x"):
        said = run(tmp_path, "init", "new", "--action", wrong)
        assert (said.status, "names no action" in said.err) == (2, True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/school/exporter.git", "school/exporter"),
        ("ssh://git@github.com/school/exporter", "school/exporter"),
        ("https://elsewhere.example/school/exporter.git", "OWNER/exporter"),
        ("file://{clone}", "school/from-a-clone"),
        ("file:///nowhere", "OWNER/exporter"),
    ],
)
def test_the_action_is_where_pip_says_that_this_program_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, repository: str
) -> None:
    origin = "git@github.com:school/from-a-clone.git"
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", origin], check=True)
    noted = json.dumps({"url": url.replace("{clone}", str(tmp_path))})
    monkeypatch.setattr(metadata.PathDistribution, "read_text", lambda *_: noted)
    assert own_action().partition("@")[0] == repository


def test_the_action_is_named_by_the_commit_of_this_program() -> None:
    repository, _, ref = own_action().partition("@")
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", repository)
    assert re.fullmatch(r"[0-9a-f]{40}|v\d+\.\d+\.\d+", ref)
