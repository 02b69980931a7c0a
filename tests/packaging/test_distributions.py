"""A wheel does everything without the repository, on every Python that is here (issue 9)."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command that has to succeed, away from this checkout; return what it prints."""
    # `uv` and the interpreter are told what to use by their arguments alone.
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    found = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, f"{command}: {found.stdout}\n{found.stderr}"
    return found.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the sdist, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    call(BIN / "python", "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


def interpreters() -> list[str]:
    """Return the supported Pythons of this machine, as paths."""
    found = []
    for version in PYTHONS:
        command = [str(BIN / "uv"), "python", "find", "--no-python-downloads", "--system", version]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            found.append(answer.stdout.strip())
    return [found[0], *found[-1:]] if len(found) > 1 else found


@pytest.mark.parametrize("python", interpreters())
def test_a_wheel_runs_the_demo_in_an_empty_environment(
    python: str, distributions: Path, tmp_path: Path
) -> None:
    (wheel,) = distributions.glob("*.whl")
    environment = tmp_path / "environment"
    programs = environment / "bin"
    install = (BIN / "uv", "pip", "install", "--python", environment)
    call(BIN / "uv", "venv", "--python", python, environment, cwd=tmp_path)
    call(*install, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=tmp_path)
    call(*install, "--no-deps", wheel, cwd=tmp_path)
    told = call(programs / "exporter", "demo", "school", cwd=tmp_path)
    assert (tmp_path / "school" / "public").is_dir(), told
    assert "Usage: exporter" in call(programs / "python", "-m", "exporter", "--help", cwd=tmp_path)
    commit = call("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    assert f"({commit[:12]})" in call(programs / "exporter", "--version", cwd=tmp_path)


def test_an_sdist_holds_what_a_wheel_is_built_from(distributions: Path, tmp_path: Path) -> None:
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    call(BIN / "python", "-m", "hatchling", "build", "-t", "wheel", cwd=unpacked)
    (wheel,) = (unpacked / "dist").glob("*.whl")
    (direct,) = distributions.glob("*.whl")
    assert names(wheel) == names(direct)


def names(wheel: Path) -> list[str]:
    """Return the files of a wheel."""
    listed = call(sys.executable, "-m", "zipfile", "-l", wheel, cwd=wheel.parent)
    return sorted(line.split()[0] for line in listed.splitlines())
