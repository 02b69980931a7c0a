"""The same site on both databases: a test that takes `site` runs once on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frappe_site import FrappeSite
from tests.servers import MariaDBDatabase


@pytest.fixture
def sqlite_site(tmp_path: Path) -> FrappeSite:
    return FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")


@pytest.fixture
def mariadb_site(mariadb_database: MariaDBDatabase) -> FrappeSite:
    return FrappeSite.create(mariadb_database.url)


@pytest.fixture(params=["sqlite_site", "mariadb_site"])
def site(request: pytest.FixtureRequest) -> FrappeSite:
    found: FrappeSite = request.getfixturevalue(request.param)
    return found
