"""`smsgw migrate`: brings the database to this program's schema."""

from smsgw.commands import ground
from smsgw.commands.ground import DEFAULT_FILE, ConfigFile, load, screen
from smsgw.kit import logs
from smsgw.kit.clock import SystemClock
from smsgw.settings import Configuration
from smsgw.store.opening import bring_up_to_date


def migrate(config: ConfigFile = DEFAULT_FILE) -> None:
    """Bring the database to this program's schema."""
    configuration = load(config)
    logs.configure("plain", "warning")
    ground.run(_migrate(configuration))


async def _migrate(configuration: Configuration) -> None:
    applied = await bring_up_to_date(configuration, SystemClock().now_ms())
    for name in applied:
        screen.print(f"applied {name}", markup=False)
    if not applied:
        screen.print("nothing to do: the database is up to date")
