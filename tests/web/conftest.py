"""What the tests of the web share."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from smsgw.kit import logs
from tests.servers.engines import Engine


@pytest.fixture
def sqlite(tmp_path: Path) -> Engine:
    """An empty SQLite file."""
    return Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db"))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, by us and by the libraries, as the daemon would write it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "debug", stream=stream, environ={})
    yield stream
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
