"""The demo, whole: a simulated operator, the real daemon on a SQLite file, and the page with the phone and the site."""

import os
import secrets
import socket
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final

from aiohttp import web
from msgspec import Struct

from smsgw import settings
from smsgw.app import App
from smsgw.demo.door import Door
from smsgw.demo.purse import Purse
from smsgw.demo.site import STATIC, TEMPLATES, Offer, create_site
from smsgw.demo.throwaway import Occasion, Shelf, write
from smsgw.domain import catalog, goods
from smsgw.domain.codes import DIGITS, LETTERS
from smsgw.errors import StartError
from smsgw.kit.clock import SystemClock
from smsgw.simulator.billing import Billing, price_list
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.store.opening import bring_up_to_date
from smsgw.web.server import Look

SHORT_CODE: Final = "1234"
KEYWORD: Final = "SUN"
SERVICE: Final = "sunrise"
TITLE: Final = "Firstlight"
PRICE: Final = "€1.20"
REPLY: Final = "{service}: your code is {code}. It opens the forecast until {valid_until} UTC. {price} was charged."
LENGTH: Final = 8
CODE_PATTERN: Final = rf"\b[{DIGITS}{LETTERS}]{{{LENGTH}}}\b"
MERCHANT: Final = "gold"
GOODS: Final = {250: 250, 500: 450, 1000: 800}  # gold: cents
_PORT_TAKEN: Final = 69  # EX_UNAVAILABLE
_CANNOT_CREATE: Final = 73  # EX_CANTCREAT


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
    with ExitStack() as kept:
        page = _keep_port(places.host, places.port, "page", "--port", kept)
        verify = _keep_port(places.host, places.verify_port, "verify address", "--verify-port", kept)
        return await _open(places, page, verify, stack)


async def _open(places: Places, page: int, verify: int, stack: AsyncExitStack) -> tuple[App, str]:
    if page == verify:
        raise StartError(f"demo: the page and the verify address cannot both have port {page}", _PORT_TAKEN)
    password = secrets.token_urlsafe(6)
    billing = Billing()
    smsc = Smsc(SmscSettings(host=places.host, password=password), billing=billing)
    smsc_port = await smsc.start()
    stack.push_async_callback(smsc.stop)
    site_url = f"http://{places.host}:{page}"
    look = Look(templates=TEMPLATES, static=STATIC, words={"home": f"{site_url}/"}, frames=site_url)
    configuration = await _configuration(places, smsc_port, verify, password, site_url)
    billing.rates = price_list(goods.build(configuration.merchants, configuration.links), "operator")
    app = App(configuration, look=look)
    await app.start()
    stack.push_async_callback(app.stop)
    offer = Offer(
        short_code=SHORT_CODE,
        keyword=KEYWORD,
        price=PRICE,
        verify_url=f"http://{places.host}:{verify}/v/{SERVICE}",
        pay_url=f"http://{places.host}:{verify}/pay/{MERCHANT}",
        site_url=site_url,
    )
    purse = Purse(MERCHANT, lambda: app.return_keys(MERCHANT), SystemClock().now_ms)
    door = Door(SERVICE, lambda: app.return_keys(SERVICE), SystemClock().now_ms)
    site = create_site(smsc=smsc, offer=offer, door=door, purse=purse, code_pattern=CODE_PATTERN)
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
                shelf=Shelf(
                    merchant=MERCHANT,
                    title="Ember Vale",
                    support="help@ember.example",
                    return_url=f"{site_url}/gold/back",
                    country="BG",
                    prefix="359",
                    currency="EUR",
                    goods=GOODS,
                    billed_from=7001,
                ),
            )
        )
    except OSError as error:
        raise StartError(f"{places.folder}: cannot be written: {error.strerror}", _CANNOT_CREATE) from None
    configuration = settings.load(file, environment={}, check=catalog.problems)
    await bring_up_to_date(configuration, SystemClock().now_ms())
    return configuration


def _keep_port(host: str, port: int, what: str, option: str, stack: ExitStack) -> int:
    """Return the port, or a free one for 0, kept from others until the stack closes; one may listen on it.

    Both sites must know each other's address before they start.

    Raises:
        StartError: it is taken, or not for everybody.
    """
    kept = stack.enter_context(socket.socket())
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        kept.bind((host, port))
    except OSError as error:
        raise _no_port(host, port, what, option, error) from None
    chosen: int = kept.getsockname()[1]
    return chosen


def _no_port(host: str, port: int, what: str, option: str, error: OSError) -> StartError:
    why = os.strerror(error.errno) if error.errno else str(error)
    choice = f"choose another port with {option} PORT, or any free one with {option} 0"
    return StartError(f"demo: the {what} cannot listen on {host}:{port}: {why}; {choice}", _PORT_TAKEN)


async def _serve(site: web.Application, host: str, port: int, stack: AsyncExitStack) -> None:
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:  # somebody was quicker
        raise _no_port(host, port, "page", "--port", error) from None
