"""Measures the daemon: a process of its own with a throw-away configuration, loaded by the simulator from this one."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from smsgw import settings
from smsgw.demo.throwaway import Occasion, write
from smsgw.domain import catalog
from smsgw.kit.clock import SystemClock
from smsgw.simulator.load import Load, LoadPlan, LoadResult
from smsgw.store.opening import bring_up_to_date

_STOP_S: Final = 20.0


class Run(Struct, frozen=True, kw_only=True):
    """One measurement."""

    plan: LoadPlan
    result: LoadResult
    rss_mb: float  # the daemon's largest resident memory


async def measure(plan: LoadPlan, on_progress: Callable[[int], None]) -> Run:
    """Load a fresh daemon by this plan."""
    load = Load(plan)
    port = await load.start()
    try:
        with tempfile.TemporaryDirectory(prefix="smsgw-bench-") as folder:
            async with _daemon(Path(folder), port, plan.window) as pid:
                result = await load.run(on_progress)
                rss_mb = _peak_rss_mb(pid)
            return Run(plan=plan, result=result, rss_mb=rss_mb)
    finally:
        await load.stop()


def occasion(folder: Path, smsc_port: int, window: int, *, destination: str, log: str = "plain") -> Occasion:
    """Return what is measured: everything on disk, every line logged."""
    return Occasion(
        folder=folder,
        smsc_port=smsc_port,
        verify_port=0,
        password="bench",  # noqa: S106 - of a simulator that takes any
        short_code=destination,
        keyword="*",
        reply="Your code is {code}. Valid until {valid_until}.",
        site_url="http://127.0.0.1:8080",
        service="bench",
        window=window,
        log_destination=log,
    )


@asynccontextmanager
async def _daemon(folder: Path, smsc_port: int, window: int) -> AsyncIterator[int]:
    file = write(occasion(folder, smsc_port, window, destination="1234"))
    configuration = settings.load(file, environment={}, check=catalog.problems)
    await bring_up_to_date(configuration, SystemClock().now_ms())
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "smsgw", "run", "--config", str(file), stdout=log, stderr=log, env=dict(os.environ)
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _peak_rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
