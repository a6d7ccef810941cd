"""What every test may use: ``async def`` tests, a private PostgreSQL, and the store on both engines.

An ``async def`` test runs in an event loop of its own (uvloop, as the daemon does). Fixtures are plain functions; what
has to be opened inside the loop is an ``async with`` in the test::

    async def test_something(engine: Engine) -> None:
        async with engine.open() as database:
            ...
"""

import asyncio
import inspect
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.flows.logged import logged
from tests.servers.engines import Engine
from tests.servers.postgres import PostgresServer, binaries

# A busy machine is not a failure: what is slow is the drawing of examples.
settings.register_profile("smsgw", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("smsgw")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function; what asyncio would only log is a failure too."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    unheard: list[dict[str, object]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: unheard.append(context))
        runner.run(pyfuncitem.obj(**arguments))
    assert not unheard, unheard
    return True


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    with logged() as stream:
        yield stream


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL, made when the first test asks for it; one for each worker of xdist."""
    programs = binaries()
    if programs is None:
        sentence = "PostgreSQL is missing; apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    server = PostgresServer(programs)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.destroy()


@pytest.fixture
def postgres_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """The DSN of an empty database for this test alone."""
    name = postgres_server.lend_database()
    yield postgres_server.dsn(name)
    postgres_server.take_back(name)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty place on each of the engines in turn."""
    if request.param == "sqlite":
        return Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db"))
    return Engine(dialect="postgres", place=request.getfixturevalue("postgres_dsn"))
