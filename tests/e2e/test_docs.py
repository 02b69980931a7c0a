"""What README and the documents tell a reader to type works, and what they link to is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest
import yaml

from exporter.cli import cli
from exporter.config import load_config
from exporter.config.schema_files import read_schema
from exporter.errors import ConfigError
from tests.e2e.markdown import Page
from tests.e2e.readers import PLACES, Reader, Readers, reading

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EVERYTHING = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("benchmarks/*.md")]
BEGINS = {
    "README.md": "a clone",
    "docs/contributing.md": "a clone",
    "docs/installing.md": "a clone",
}
"""Where the reader of a page is at first, where that is not the school."""
REASONS = {
    "needs Cloudflare": "an account, a zone and a bucket of one's own",
    "needs Docker": "a daemon that runs containers",
    "needs GitHub": "a repository on GitHub, with an account that may write to it",
    "needs root": "writes outside of the reader's folders",
    "needs the site's server": "a Frappe bench",
}
"""Why a block may be left out."""
SHELLS = ("sh", "console")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    with reading(tmp_path_factory.mktemp("docs")) as readers:
        yield readers


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_every_command_line_of_a_page_works(guide: Path, readers: Readers) -> None:
    folder = readers.folder / name_of(guide).replace("/", "-")
    reader = Reader(readers, folder)
    wrong = []
    for block in Page(guide).blocks():
        if block.language not in SHELLS or block.marks.keys() & {"not run", "runbook"}:
            continue
        if not reader.copies and not block.marks.keys() & {"in", "each in"}:
            reader.go(BEGINS.get(name_of(guide), "the school"))
        if found := reader.read(block):
            wrong.append(f"{name_of(guide)}:{block.line}: {found}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_no_command_line_hides_from_the_test(guide: Path) -> None:
    page = Page(guide)
    for block in page.blocks():
        where = f"{name_of(guide)}:{block.line}"
        assert block.language, f"{where}: the fence names no language; `sh` is run, `text` is not"
        assert block.language not in ("bash", "shell", "zsh"), f"{where}: name it `sh`"
        assert block.marks.get("not run", "needs root") in REASONS, where
        assert {block.marks.get("in", "the school")} <= PLACES.keys(), where
    hidden = re.findall(r"^ {4,}(?:\$ )?(?:exporter|git|make) .*$", page.prose(), re.MULTILINE)
    assert hidden == [], f"{name_of(guide)}: put them between fences"


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_commands_and_options_within_sentences_are_there(guide: Path) -> None:
    page = Page(guide)
    wrong = {line: found for line in mentioned(page) if (found := unknown_in(line))}
    assert wrong == {}


def mentioned(page: Page) -> Iterator[str]:
    """Yield each `exporter …` of the text, and of blocks for other programs than a shell."""
    yield from (code for code in page.inline() if re.match(r"exporter [a-z-]", code))
    for block in page.blocks():
        if block.language in ("cron", "ini", "yaml", "dockerfile"):
            text = re.sub(r"^ *#.*$", "", block.text, flags=re.MULTILINE)
            yield from re.findall(r"(?<![\w.-])exporter [^\n\"']+", text)


def unknown_in(line: str) -> str:
    """Say which command or option of a line does not exist; nothing where all do."""
    line = re.sub(r" -C \S+", "", re.split(r"[|;&>#…]", line)[0])
    try:
        parse(cli, "exporter", shlex.split(line)[1:], None)
    except (click.NoSuchOption, click.exceptions.NoSuchCommand) as error:
        return error.format_message()
    except (click.UsageError, click.exceptions.Exit):
        pass  # a placeholder is no number, or an argument is left out
    return ""


def parse(
    command: click.Command, name: str, arguments: list[str], parent: click.Context | None
) -> None:
    context = command.make_context(name, arguments, parent=parent)
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        found, below, rest = command.resolve_command(context, rest)
        assert found
        assert below
        parse(below, found, rest, context)


def test_the_first_block_of_the_readme_is_the_two_commands_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    first = next(Page(ROOT / "README.md").blocks())
    goals = [line.split("#")[0].strip() for line in first.text.splitlines()]
    assert goals == ["make demo", "make test"]
    assert all(f"\n{goal.removeprefix('make ')}:" in makefile for goal in goals)


def test_a_command_or_option_that_is_not_there_would_be_noticed() -> None:
    known = "exporter publish --target NAME", "exporter github drift", "exporter -C DIR check"
    assert [unknown_in(line) for line in known] == ["", "", ""]
    unknown = "exporter pubish", "exporter publish --tagret x", "exporter github drfit x"
    assert all(unknown_in(line) for line in unknown)


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_every_piece_of_configuration_is_accepted(guide: Path, tmp_path: Path) -> None:
    known = read_schema("config")["properties"].keys()
    for block in Page(guide).blocks():
        if block.language != "yaml":
            continue
        said = yaml.safe_load(block.text)
        if isinstance(said, dict) and said.keys() <= known:
            environ = dict.fromkeys(re.findall(r"\$\{(\w+)", block.text), "value")
            environ |= {"EXPORTER_DATABASE_URL": "sqlite:///site.db"}
            environ |= {"NOTIFY_URL": "https://hook.example.org/1"}
            file = tmp_path / "exporter.yaml"
            file.write_text(block.text, encoding="utf-8")
            sections = load_config(file, environ).sections
            parts = [getattr(sections, name) for name in said if name != "targets"]
            parts += [sections.targets[name] for name in said.get("targets", ())]
            assert [part for part in parts if isinstance(part, ConfigError)] == []


@pytest.mark.parametrize("page", EVERYTHING, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [target for target in Page(page).links() if leads_nowhere(page, target)] == []


def leads_nowhere(page: Path, target: str) -> bool:
    parts = urlsplit(target)
    if parts.scheme:
        return parts.scheme != "https" or "." not in parts.netloc
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not file.exists() or not file.is_relative_to(ROOT):
        return True
    return bool(parts.fragment) and (
        file.suffix != ".md" or parts.fragment not in Page(file).anchors()
    )


def test_a_link_that_leads_nowhere_would_be_noticed() -> None:
    page = ROOT / "README.md"
    good = "LICENSE", "docs/json-reference.md#versions", "https://example.org/x"
    bad = "LICENCE", "docs/json-reference.md#version", "#nothing", "http://example.org", "../x"
    assert [leads_nowhere(page, target) for target in good] == [False, False, False]
    assert [leads_nowhere(page, target) for target in bad] == [True] * 5
