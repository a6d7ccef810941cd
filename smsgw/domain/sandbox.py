"""The simulated operator inside the daemon: its name, its link, and what keeps its tests apart from everybody's life.

What a test key's payment does stays among tests: a simulated phone's STOP blocks nobody's questions, its payments count
in no cap of the phone that really has the number.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from smsgw.settings import Configuration, LinkSettings

NAME: Final = "sandbox"
SERVICE_TYPE: Final = "TEST"  # of its billed messages
_HOST: Final = "127.0.0.1"
_TEST: Final = "test/"  # no merchant's name has a slash
_SOON_S: Final = 0.2


def problems(configuration: Configuration) -> list[str]:
    """Find what stands in its way; sentences in the form of settings problems."""
    if not configuration.main.sandbox.enabled or NAME not in configuration.links:
        return []
    file = configuration.file.parent / "links" / f"{NAME}.toml"
    return [f'{file}: the name "{NAME}" is that of the simulated operator; rename the file, or disable [sandbox]']


def with_link(configuration: Configuration, port: int) -> Configuration:
    """Return the settings with the simulated operator's link, if it is enabled.

    Args:
        configuration: has passed the checks.
        port: where it listens; for programs that do not connect, any.
    """
    if not configuration.main.sandbox.enabled:
        return configuration
    return structs.replace(configuration, links={**configuration.links, NAME: _link(port)})


def _link(port: int) -> LinkSettings:
    return LinkSettings(
        host=_HOST,
        port=port,
        system_id=NAME,
        password_file=NAME,  # never read: the password is made anew at each start
        test=True,
        receipts=True,
        window=50,
        connect_timeout_s=5.0,
        response_timeout_s=10.0,
        reconnect_first_s=_SOON_S,
        reconnect_ceiling_s=2.0,
    )


def for_tests(links: Mapping[str, LinkSettings]) -> str | None:
    """Return the link at which products are tested that have no price at a simulated operator."""
    if NAME in links:
        return NAME
    return min((name for name, link in links.items() if link.test), default=None)


def apart(name: str, *, test: bool) -> str:
    """Return a name under which tests are counted and blocked apart from what is not a test."""
    return f"{_TEST}{name}" if test else name
