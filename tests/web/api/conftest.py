"""What the tests of the API share."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.logged import logged
from tests.servers.engines import Engine


@pytest.fixture
def postgres(postgres_dsn: str) -> Engine:
    """An empty PostgreSQL database, for what only several writers can show."""
    return Engine(dialect="postgres", place=postgres_dsn)


@pytest.fixture
def sqlite(tmp_path: Path) -> Engine:
    """An empty SQLite file."""
    return Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db"))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    with logged() as stream:
        yield stream
