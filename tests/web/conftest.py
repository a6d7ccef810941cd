"""What the tests of the web share."""

from pathlib import Path

import pytest

from tests.servers.engines import Engine


@pytest.fixture
def sqlite(tmp_path: Path) -> Engine:
    """An empty SQLite file."""
    return Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db"))
