"""What the README tells a reader to type works as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from exporter.cli import COMMANDS
from tests.cli.running import run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"^ *```\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in block.splitlines())
    return [line for line in lines if line]


def test_the_first_block_is_the_two_commands_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert commands(blocks()[0]) == ["make demo", "make test"]
    assert all(f"\n{line.removeprefix('make ')}:" in makefile for line in commands(blocks()[0]))


def test_what_is_typed_after_the_demo_works_in_the_demo(tmp_path: Path) -> None:
    assert run(tmp_path, "demo", "demo-site").status == 0
    block = next(block for block in blocks() if block.startswith("cd demo-site"))
    typed = [line.replace("../.venv/bin/exporter", "exporter") for line in commands(block)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["GIT_PAGER"] = "cat"
    for line in typed[1:]:
        done = subprocess.run(
            line.split(),
            cwd=tmp_path / "demo-site",
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (line, done.returncode) == (line, 0), done.stderr
        assert done.stdout


def test_every_command_that_the_documents_name_exists() -> None:
    for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for name in re.findall(r"`exporter ([a-z][a-z-]*)", file.read_text(encoding="utf-8")):
            assert name in COMMANDS, (file, name)


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), (file, target)
