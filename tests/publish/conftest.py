"""A school in git for the tests of publishing: one repository a module, commits on HEAD."""

from __future__ import annotations

import pytest

from tests.publish.publishing import SchoolRepository, Target


@pytest.fixture(scope="module")
def schools(tmp_path_factory: pytest.TempPathFactory) -> SchoolRepository:
    return SchoolRepository(tmp_path_factory.mktemp("school"))


@pytest.fixture
def target(schools: SchoolRepository) -> Target:
    return Target(schools)
