"""`smsgw version`: which program this is."""

from importlib.metadata import version as installed_version

from smsgw.commands.ground import screen


def version() -> None:
    """Print the version."""
    screen.print(f"smsgw {installed_version('smsgw')}", markup=False)
