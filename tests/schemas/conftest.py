"""What the schemas are tested with: every command really run once, the demo school built once."""

from __future__ import annotations

from typing import Any

import pytest

from reference.published import published_examples
from reference.recording import Recorded, record


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """Return what every command printed, in a week of a demo school."""
    return record(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the examples of the published kinds, built now."""
    return published_examples(tmp_path_factory.mktemp("published"))
