"""Where the readers of documents are when they type: places, and a shell that runs what they type.

Every place is made once by the real command line, and copied for each page. Outside this machine
there is nothing: git pushes to a repository in the folder next door, GitHub's API is the stand-in
of the workflows' tests, `make` and `pip` are programs that do as much of the real ones as is new.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.cdn import serving
from tests.e2e.markdown import Block
from tests.forking import running_forker
from tests.workflows.github_api import REPOSITORY, GitHubAPI, github_api

__all__ = ["PLACES", "Reader", "Readers", "reading"]

ROOT = Path(__file__).parents[2]
TOKEN = "ghs_planted"
TIME_LIMIT_S = 300

_MAKE = f"""\
#!/bin/sh -e
# The goals are there; only the demo is made, as the others are what CI runs anyway.
for goal; do
    grep -q "^$goal:" {ROOT}/Makefile || exit 2
    if [ "$goal" = demo ]; then exporter demo ./demo-site; fi
done
"""
_PIP = '#!/bin/sh\n# The distributions have tests of their own.\n[ "$1" = install ]\n'
_SCHOOL = """\
exporter demo content --lessons 20 > /dev/null
cd content
perl -pi -e 's|^  local:|  production:\\n    base_url: "\\${EXPORTER_CDN_URL}"|' exporter.yaml
git commit --quiet --all -m 'One target, in front of a CDN'
git init --quiet --bare ../origin.git
git remote add origin ../origin.git
git push --quiet --set-upstream origin HEAD
exporter --quiet publish > /dev/null
git gc --quiet && git -C ../origin.git gc --quiet
"""
_CLONE = f"""\
mkdir -p content/.venv/bin && cd content
cp {ROOT}/Makefile {ROOT}/README.md .
ln -s "$(command -v exporter)" .venv/bin/exporter
printf '/.venv/\\n/demo-site/\\n' > .gitignore
git init --quiet && git add --all && git commit --quiet -m 'This repository'
"""
_PREVIEW = """\
cat >> exporter.yaml <<'END'
  preview: {store: ./previews/cdn, state: ./previews/state}
END
git commit --quiet --all -m 'A second target'
exporter --quiet publish --target preview > /dev/null
"""
_HELD_BACK = """\
perl -pi -e '$done ||= s/action: /action: Mis-/' content-snapshot/plans/GRADE-12-SCI-2026.yaml
git commit --quiet --all -m 'A mistake'
for _ in 1 2 3; do ! exporter --quiet publish > /dev/null; done
git revert --no-edit HEAD > /dev/null
"""
PLACES: Mapping[str, tuple[str, str]] = {
    "the school": ("", _SCHOOL),
    "a school with a preview": ("the school", _PREVIEW),
    "a school with a plan that was held back": ("the school", _HELD_BACK),
    "a school that lost its state store": ("the school", "rm -r .exporter\n"),
    "an empty folder": ("", "mkdir content\n"),
    "a clone": ("", _CLONE),
}
"""Each place by name: the one that it begins as, and what is typed there to make it."""
_MEANT: Mapping[str, str] = {
    "COMMIT": "HEAD",
    "REF": "HEAD~1",
    "PLAN": "GRADE-12-SCI-2026",
    "NODE": "LESSON-MATH-001",
    "DIR": "somewhere",
}
"""What readers put for a placeholder, besides RELEASE, which is that of the place."""


@dataclass(frozen=True, slots=True)
class Readers:
    """What all readers share: the folder of places, programs on PATH, GitHub and the CDN."""

    folder: Path
    programs: Path
    github: GitHubAPI
    cdn: str

    def copy(self, name: str, into: Path) -> Path:
        """Copy a place into an empty folder, and return where a reader stands in it."""
        made = self._made(name)
        shutil.copytree(made, into, symlinks=True, dirs_exist_ok=True)
        config = into / "content" / ".git" / "config"
        if config.exists():
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace("url = ../origin.git", f"url = {into}/origin.git"))
        return into / "content"

    def environment(self, place: Path) -> dict[str, str]:
        """Return a reader's environment; `place` is where the CDN's files are."""
        store = place / "public" / "memora_content"
        return {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "TERM": "dumb",
            "GIT_PAGER": "cat",
            "GIT_EDITOR": "true",
            "EXPORTER_DATABASE_URL": f"sqlite:///{self.folder}/site.db",
            "EXPORTER_CDN_URL": f"{self.cdn}/{store.relative_to(self.folder)}",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": self.github.endpoint,
            "GITHUB_REPOSITORY": REPOSITORY,
        }

    def _made(self, name: str) -> Path:
        if name != "the school":
            self._made("the school")  # its site is the one that every reader's URL leads to
        made = self.folder / "made" / name.replace(" ", "-")
        if not made.exists():
            begun, typed = PLACES[name]
            making = made.with_name(f"{made.name}.making")
            making.mkdir(parents=True)
            stands = self.copy(begun, making) if begun else making
            done = _bash(typed, stands, self.environment(making / "content"))
            assert done.returncode == 0, f"{name}: {done.stderr}"
            making.rename(made)
        if name == "the school" and not (self.folder / "site.db").exists():
            shutil.copyfile(made / "content" / "site.db", self.folder / "site.db")
        return made


@dataclass(slots=True)
class Reader:
    """Somebody who types a page's blocks in one shell, from the first to the last."""

    readers: Readers
    folder: Path
    copies: int = 0
    place: Path = Path()
    stands: Path = Path()
    exported: dict[str, str] = field(default_factory=dict)

    def go(self, name: str) -> None:
        """Go to a new copy of a place."""
        self.copies += 1
        self.place = self.stands = self.readers.copy(name, self.folder / str(self.copies))

    def read(self, block: Block) -> str:
        """Type a block; return what went wrong, or nothing."""
        typed = block.typed()
        if place := block.marks.get("each in"):
            for line in _lines(typed):
                self.go(place)
                if wrong := self._type(line, 0):
                    return wrong
            return ""
        if place := block.marks.get("in"):
            self.go(place)
        return self._type(typed, int(block.marks.get("ends", 0)))

    def _type(self, typed: str, status: int) -> str:
        environment = {**self.readers.environment(self.place), **self.exported}
        done = _bash(
            f"{self._meant(typed)}\n{{ env -0 > '{self.folder}/env'; pwd > '{self.folder}/pwd'; }}",
            self.stands,
            environment,
        )
        if done.returncode != status:
            return f"{typed}\nended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        if status == 0:
            now = (self.folder / "env").read_text(encoding="utf-8").split("\0")
            variables = dict(one.split("=", 1) for one in now if "=" in one)
            own = {"PWD", "OLDPWD", "SHLVL", "_"}
            self.exported |= {
                name: value
                for name, value in variables.items()
                if name not in own and environment.get(name) != value
            }
            self.stands = Path((self.folder / "pwd").read_text(encoding="utf-8").rstrip("\n"))
        return ""

    def _meant(self, typed: str) -> str:
        """Return what a reader types for the placeholders."""
        typed = re.sub(r"(['\"]?)mysql\+pymysql://[^\s'\"]+\1", "$EXPORTER_DATABASE_URL", typed)
        meant = dict(_MEANT)
        if "RELEASE" in typed:
            records = (self.place / ".exporter" / "local" / "releases").glob("*.json")
            meant["RELEASE"] = min(record.stem for record in records)
        return re.sub(r"\b[A-Z]+\b", lambda found: meant.get(found[0], found[0]), typed)


@contextmanager
def reading(folder: Path) -> Iterator[Readers]:
    """Open what readers need."""
    with (
        running_forker(folder, is_read=True) as programs,
        github_api(folder / "artifacts") as github,
        serving(folder) as cdn,
    ):
        for name, script in {"make": _MAKE, "pip": _PIP}.items():
            (programs / name).write_text(script, encoding="utf-8")
            (programs / name).chmod(0o755)
        kinds = ("actions", "pull-requests", "issues", "contents")
        github.may[TOKEN] = dict.fromkeys(kinds, "write")
        github.runs.append(_RUN)
        yield Readers(folder, programs, github, cdn)


_RUN = {
    "id": 4711,
    "path": ".github/workflows/pull-request.yml",
    "event": "pull_request",
    "head_repository": {"full_name": REPOSITORY, "owner": {"login": "school"}},
    "head_branch": "content",
    "head_sha": "0" * 40,
    "html_url": "https://github.example/run",
}


def _lines(typed: str) -> list[str]:
    """Return the command lines of a block, continued ones as one, without comments."""
    lines = typed.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _bash(
    typed: str, stands: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-exo", "pipefail", "-c", typed],
        cwd=stands,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TIME_LIMIT_S,
        check=False,
    )
