from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.config import (
    Target,
    Watch,
    find_config,
    load_config,
)
from exporter.errors import ConfigError, UsageError
from tests.config.files import load


def test_the_file_is_found_in_the_nearest_folder_above(folder: Path) -> None:
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    (folder / "exporter.yaml").touch()
    assert find_config(deep) == folder / "exporter.yaml"
    (folder / "a" / "exporter.yaml").touch()
    assert find_config(deep) == folder / "a" / "exporter.yaml"


def test_no_file_anywhere_says_how_to_make_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"no exporter.yaml in {folder}")) as caught:
        find_config(folder)
    assert "exporter init" in caught.value.hint


def test_a_missing_or_unreadable_file_is_a_configuration_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        load_config(folder / "none.yaml", {})
    with pytest.raises(ConfigError, match=r"cannot read .*[Dd]irectory"):
        load_config(folder, {})
    (folder / "latin.yaml").write_bytes(b"snapshot: {author: 'Ren\xe9 <r@example.org>'}")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(folder / "latin.yaml", {})


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(folder: Path) -> None:
    (folder / "exporter.yaml").write_bytes(b"\xef\xbb\xbfwatch:\r\n  threshold: 7\r\n")
    assert load_config(folder / "exporter.yaml", {}).watch == Watch(threshold=7)


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///site.db", "sqlite:///{root}/site.db"),
        ("sqlite:///db/site.db?timeout=3", "sqlite:///{root}/db/site.db?timeout=3"),
        ("sqlite+pysqlite:///site.db", "sqlite+pysqlite:///{root}/site.db"),
        ("sqlite:////srv/site.db", "sqlite:////srv/site.db"),
        ("mysql+pymysql://reader@db/site", "mysql+pymysql://reader@db/site"),
    ],
)
def test_a_relative_sqlite_path_starts_at_the_file(folder: Path, url: str, resolved: str) -> None:
    for text, environ in (
        (f"source: {{url: '{url}'}}\n", {}),
        ("source: {url: '${URL}'}\n", {"URL": url}),
    ):
        found = load(folder, text, environ).source_url()
        assert found.reveal() == resolved.format(root=folder)


def test_a_source_that_is_needed_but_not_there_is_explained(folder: Path) -> None:
    with pytest.raises(ConfigError, match="names no database") as caught:
        load(folder, "").source_url()
    assert "source: {url:" in caught.value.hint


TWO = "targets: {production: {store: a, state: b}, staging: {store: c, state: d}}\n"


def test_the_only_target_need_not_be_named(folder: Path) -> None:
    config = load(folder, "targets: {local: {store: a, state: b}}\n")
    assert config.target() == config.target("local") == Target("local", "a", "b")


def test_several_targets_ask_which(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"which target.*production, staging") as caught:
        load(folder, TWO).target()
    assert caught.value.hint == "choose one, as in --target production"


def test_an_unknown_target_lists_and_suggests(folder: Path) -> None:
    with pytest.raises(UsageError, match='no target "producton", only production, stag') as caught:
        load(folder, TWO).target("producton")
    assert caught.value.hint == 'did you mean "production"?'
    with pytest.raises(UsageError) as caught:
        load(folder, TWO).target("elsewhere")
    assert caught.value.hint == "choose one of: production, staging; or add it under `targets`"


@pytest.mark.parametrize("name", [None, "local"])
def test_no_target_at_all_says_how_to_add_one(folder: Path, name: str | None) -> None:
    with pytest.raises(UsageError, match="has no target") as caught:
        load(folder, "").target(name)
    assert "targets:" in caught.value.hint
