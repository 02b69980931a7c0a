"""What this version does not do is refused, not silently ignored."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import CONFIG, content_repository, run


def test_hashed_addressing_is_refused_until_it_is_built(tmp_path: Path) -> None:
    config = CONFIG + "publish: {addressing: hashed}\n"
    root = content_repository(tmp_path, {}, config)
    for command in ("plan", "publish", "status"):
        said = run(root, command)
        assert said.status == 2
        assert "hashed" in said.err
    assert not (root / "public").exists()
