"""The demo, whole: a simulated operator, the real daemon on a SQLite file, and the page with the phone and the site."""

import secrets
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from aiohttp import web
from msgspec import Struct

from smsgw import settings
from smsgw.app import App
from smsgw.demo.site import Offer, create_site
from smsgw.demo.throwaway import Occasion, write
from smsgw.domain import catalog
from smsgw.domain.codes import DIGITS, LETTERS
from smsgw.errors import StartError
from smsgw.kit.clock import SystemClock
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.store.opening import bring_up_to_date

SHORT_CODE: Final = "1234"
KEYWORD: Final = "SUN"
SERVICE: Final = "sunrise"
TITLE: Final = "Firstlight"
PRICE: Final = "€1.20"
REPLY: Final = "{service}: your code is {code}. It opens the forecast until {valid_until} UTC. {price} was charged."
LENGTH: Final = 8
CODE_PATTERN: Final = rf"\b[{DIGITS}{LETTERS}]{{{LENGTH}}}\b"
_PORT_TAKEN: Final = 69  # EX_UNAVAILABLE


class Places(Struct, frozen=True, kw_only=True):
    """Where the demo lives."""

    folder: Path
    host: str
    port: int  # the page; 0: any free port
    verify_port: int  # the gateway's verify address; 0: any free port


async def open_demo(places: Places, stack: AsyncExitStack) -> tuple[App, str]:
    """Start everything; closing the stack stops it. Return the daemon and the page's address.

    Raises:
        SmsgwError: a port is taken, or the folder cannot be used.
    """
    password = secrets.token_urlsafe(6)
    smsc = Smsc(SmscSettings(host=places.host, password=password))
    smsc_port = await smsc.start()
    stack.push_async_callback(smsc.stop)
    page = _free_port(places.host, places.port)
    verify = _free_port(places.host, places.verify_port)
    site_url = f"http://{places.host}:{page}"
    app = App(await _configuration(places, smsc_port, verify, password, site_url))
    await app.start()
    stack.push_async_callback(app.stop)
    offer = Offer(
        short_code=SHORT_CODE,
        keyword=KEYWORD,
        price=PRICE,
        verify_url=f"http://{places.host}:{verify}/v/{SERVICE}",
        site_url=site_url,
    )
    site = create_site(smsc=smsc, offer=offer, code_pattern=CODE_PATTERN)
    await _serve(site, places.host, page, stack)
    return app, site_url


async def _configuration(
    places: Places, smsc_port: int, verify_port: int, password: str, site_url: str
) -> settings.Configuration:
    try:
        file = write(
            Occasion(
                folder=places.folder,
                smsc_port=smsc_port,
                verify_port=verify_port,
                password=password,
                short_code=SHORT_CODE,
                keyword=KEYWORD,
                reply=REPLY,
                site_url=site_url,
                service=SERVICE,
                title=TITLE,
                price=PRICE,
                length=LENGTH,
            )
        )
    except OSError as error:
        raise StartError(f"{places.folder}: cannot be written: {error.strerror}", _PORT_TAKEN) from None
    configuration = settings.load(file, environment={}, check=catalog.problems)
    await bring_up_to_date(configuration, SystemClock().now_ms())
    return configuration


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0: both sites must know each other's address before they start."""
    if port:
        return port
    with socket.create_server((host, 0)) as probe:
        free: int = probe.getsockname()[1]
    return free


async def _serve(site: web.Application, host: str, port: int, stack: AsyncExitStack) -> None:
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise StartError(
            f"demo: cannot listen on {host}:{port}: {error.strerror}; choose another one with --port", _PORT_TAKEN
        ) from None
