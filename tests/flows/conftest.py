"""What the tests of the flows share."""

from pathlib import Path

import pytest

from tests.servers.engines import Engine


@pytest.fixture
def sqlite(tmp_path: Path) -> Engine:
    """An empty SQLite file, for what does not depend on the engine."""
    return Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db"))


@pytest.fixture
def postgres(postgres_dsn: str) -> Engine:
    """An empty PostgreSQL database, for what only several writers can show."""
    return Engine(dialect="postgres", place=postgres_dsn)
