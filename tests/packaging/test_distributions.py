"""A wheel does everything without the repository, on every Python that is here (issue 9)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from exporter import __version__

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""The supported ones, as the classifiers name them."""
LANGUAGE = "Programming Language :: Python"


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


def interpreters() -> list[Path]:
    """Return the oldest and the newest of the supported Pythons that are on this machine."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in PYTHONS:
        on_path = shutil.which(f"python{version}")
        places = [Path(on_path)] if on_path else []
        places += sorted(versions.glob(f"{version}.*/bin/python{version}"))
        found += [place for place in places if is_python(place, version)][:1]
    return [found[0], *found[1:][-1:]] if found else []


def is_python(place: Path, version: str) -> bool:
    """Tell whether a program is a Python of this version that works: a shim of pyenv's may not."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([place, "-c", asked], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


@pytest.mark.parametrize("python", interpreters())
def test_a_wheel_runs_the_demo_in_an_empty_environment(
    python: Path, distributions: Path, tmp_path: Path
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
    said = f"exporter {__version__} ({commit()[:12]})\n"
    assert call(programs / "exporter", "--version", cwd=tmp_path) == said
    assert call(programs / "python", "-m", "exporter", "--version", cwd=tmp_path) == said


def test_a_wheel_says_what_it_is_and_what_it_needs(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    metadata = message_from_string(record(wheel, "METADATA"))
    classified = metadata.get_all("Classifier", [])
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert [version for version in PYTHONS if f"{LANGUAGE} :: {version}" in classified] == PYTHONS


def test_an_sdist_gives_the_same_wheel_to_the_last_byte(
    distributions: Path, tmp_path: Path
) -> None:
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    (direct,) = distributions.glob("*.whl")
    assert digests(built_in(unpacked)) == digests(direct)


def test_what_docker_is_given_is_what_a_wheel_is_built_from(
    distributions: Path, tmp_path: Path
) -> None:
    given = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    leave_out = shutil.ignore_patterns("__pycache__")
    for place in (line.removeprefix("!") for line in given if line.startswith("!")):
        if (ROOT / place).is_dir():
            shutil.copytree(ROOT / place, tmp_path / place, ignore=leave_out)
        else:
            shutil.copy(ROOT / place, tmp_path / place)
    # As the Dockerfile does it: the clone's .git is not there.
    (tmp_path / "exporter" / "COMMIT").write_text(f"{commit()}\n", encoding="utf-8")
    (direct,) = distributions.glob("*.whl")
    assert digests(built_in(tmp_path)) == digests(direct)


def commit() -> str:
    """Return the commit that is checked out."""
    return call("git", "rev-parse", "HEAD", cwd=ROOT).strip()


def built_in(folder: Path) -> Path:
    """Build a wheel from a folder's files alone."""
    call(BIN / "python", "-m", "hatchling", "build", "-t", "wheel", cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def digests(wheel: Path) -> list[str]:
    """Return a line for each file of a wheel, with its digest."""
    return sorted(record(wheel, "RECORD").splitlines())


def record(wheel: Path, name: str) -> str:
    """Return a file of a wheel's metadata."""
    with zipfile.ZipFile(wheel) as packed:
        (found,) = (one for one in packed.namelist() if one.endswith(f".dist-info/{name}"))
        return packed.read(found).decode()
