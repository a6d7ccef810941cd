"""`smsgw bench`: how many paid SMS a second this machine takes."""

from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from smsgw.commands import ground
from smsgw.commands.ground import errors, screen
from smsgw.demo import bench as measuring
from smsgw.kit import logs
from smsgw.simulator.load import LoadPlan


def bench(
    messages: Annotated[int, typer.Option("-n", min=1, max=1_000_000, help="Messages of each run.")] = 20_000,
    window: Annotated[
        list[int] | None, typer.Option("-w", min=1, max=1000, help="Unanswered messages; give it several times.")
    ] = None,
    rate: Annotated[int, typer.Option("-r", min=0, help="Messages a second of one more, paced run; 0: none.")] = 1000,
) -> None:
    """Measure this machine: from a paid SMS to its answer, everything on disk."""
    windows = window or [10, 50, 200]
    plans = [LoadPlan(messages=messages, window=size) for size in windows]
    if rate:
        plans.append(LoadPlan(messages=min(messages, rate * 10), window=max(windows), per_second=rate))
    logs.configure("plain", "warning")
    ground.run(_bench(plans))


async def _bench(plans: list[LoadPlan]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("window", "paced", "SMS/s", "to the answer p50 / p99 ms", "to the response p50 / p99 ms", "RSS MB"):
        table.add_column(heading, justify="right")
    table.add_column("")
    with Progress(console=errors, transient=True) as progress:
        for plan in plans:
            task = progress.add_task(f"window {plan.window}", total=plan.messages)
            one = await measuring.measure(plan, lambda done, task=task: progress.update(task, completed=done))  # type: ignore[misc]  # mypy can't type a lambda's default
            result = one.result
            table.add_row(
                str(plan.window),
                f"{plan.per_second}/s" if plan.per_second else "-",
                f"{result.per_second:,.0f}",
                f"{result.mt_ms.p50:.1f} / {result.mt_ms.p99:.1f}",
                f"{result.response_ms.p50:.1f} / {result.response_ms.p99:.1f}",
                f"{one.rss_mb:.0f}",
                "" if result.complete else f"incomplete: {result.matched} of {plan.messages} answered",
            )
    screen.print(table)
