"""`smsgw demo`: everything on one page."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from smsgw.commands import ground
from smsgw.commands.ground import screen
from smsgw.commands.run import stop_on_signals
from smsgw.demo.world import KEYWORD, SHORT_CODE, Places, open_demo
from smsgw.kit import logs


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its settings and its database.")] = Path(
        ".smsgw/demo"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0: any free one.")] = 8080,
    verify_port: Annotated[int, typer.Option(min=0, max=65535, help="The verify address's port; 0: any.")] = 8081,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the daemon's log.")] = False,
) -> None:
    """Show the whole thing on one page: a phone, an operator, the gateway and a merchant's site."""
    logs.configure("auto", "info" if verbose else "warning")
    ground.run(_demo(Places(folder=folder, host="127.0.0.1", port=port, verify_port=verify_port)))


async def _demo(places: Places) -> None:
    async with AsyncExitStack() as stack:
        app, url = await open_demo(places, stack)
        stop_on_signals(app)
        screen.print(f"\n  Open  [bold]{url}[/bold]\n\n  and send {KEYWORD} to {SHORT_CODE} from the phone there.")
        screen.print(f"  Settings and database: {places.folder}    Ctrl+C ends it.\n")
        await app.wait()
