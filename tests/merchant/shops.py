"""The merchants' sample sites, each run by its own interpreter, and a visitor with cookies."""

import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec

from smsgw.kit.clock import ManualClock
from smsgw.settings import Web
from smsgw.store import service_keys
from tests.flows.world import SUN, World, changed
from tests.peers.programs import free_port, program
from tests.servers.engines import Engine
from tests.web.site import Site, site

SCRIPTS = Path(__file__).parents[2] / "scripts" / "merchant"
COMMANDS: Mapping[str, list[str]] = {
    "php": ["php", "-S", "127.0.0.1:{port}", str(SCRIPTS / "php" / "{name}.php")],
    "python": [sys.executable, "-B", str(SCRIPTS / "python" / "{name}.py"), "{port}"],
    "node": ["node", str(SCRIPTS / "node" / "{name}.js"), "{port}"],
}
PACKAGES = {"php": "php-cli", "node": "nodejs"}


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's site, and the gateway that it trusts."""

    port: int
    gateway: Site
    keys: Mapping[str, bytes]  # return keys by id

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Visitor:
    """A browser: keeps cookies, follows no redirect by itself."""

    def __init__(self, shop: Shop, session: aiohttp.ClientSession) -> None:
        self.shop = shop
        self._session = session

    async def go(self, url: str, form: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Return the status, the Location and the page."""
        method = "GET" if form is None else "POST"
        async with self._session.request(method, url, data=form, allow_redirects=False) as response:
            return response.status, response.headers.get("Location", ""), await response.text()

    async def state(self) -> str:
        """Open the form; return what the site gave this visitor."""
        _, _, page = await self.go(f"{self.shop.url}/")
        return page.partition('name="state" value="')[2].partition('"')[0]

    async def bring(self, code: str, state: str) -> str:
        """Send the form to the gateway; return the address on the merchant's site where it leads."""
        status, location, _ = await self.go(
            f"http://127.0.0.1:{self.shop.gateway.port}/v/sun", {"code": code, "state": state}
        )
        assert status == 303
        return location

    async def ends_at(self, url: str) -> str:
        """Follow redirects inside the merchant's site; return the heading of the page."""
        for _ in range(5):
            status, location, page = await self.go(url)
            if status != 303:
                return page.partition("<h1>")[2].partition("</h1>")[0]
            url = f"{self.shop.url}{location}"
        raise AssertionError("redirects without end")


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["rt"][0]


@asynccontextmanager
async def shop(language: str, engine: Engine, folder: Path) -> AsyncIterator[Shop]:
    """Run a merchant's site beside a gateway that knows it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    sun = changed(
        SUN,
        success_url=f"{url}/members",
        expired_url=f"{url}/expired",
        invalid_url=f"{url}/invalid",
        valid_for_s=86_400,
    )
    clock = ManualClock(int(time.time() * 1000))  # the merchant's machine has the real time
    patient = Web(port=0)
    async with site(
        engine, patient, clock=clock, services={"sun": sun, "moon": changed(sun, keywords=["MOON"])}
    ) as here:
        keys = await keys_of(here.one)
        spent = folder / "spent"
        spent.mkdir()
        chosen = {
            "SMSGW_VERIFY_URL": f"http://127.0.0.1:{here.port}/v/sun",
            "SMSGW_SERVICE": "sun",
            "SMSGW_RETURN_KEYS": " ".join(f"{key}={b64encode(secret).decode()}" for key, secret in keys["sun"].items()),
            "SMSGW_SPENT": str(spent),
        }
        with serving(language, "shop", port, chosen):
            yield Shop(port=port, gateway=here, keys=keys["sun"] | keys["moon"])


@contextmanager
def serving(
    language: str, name: str, port: int, environment: Mapping[str, str], log: Path = Path(os.devnull)
) -> Iterator[None]:
    """Run a sample site until the block ends; then it is killed, as a power cut would."""
    program(COMMANDS[language][0], PACKAGES.get(language, language))
    with log.open("ab") as told:
        process = subprocess.Popen(
            # should the tests be killed, the site goes with them
            ["setpriv", "--pdeathsig", "KILL", *(part.format(port=port, name=name) for part in COMMANDS[language])],
            env={**os.environ, "PHP_CLI_SERVER_WORKERS": "4", **environment},
            stdout=told,
            stderr=told,
            start_new_session=True,  # PHP's workers are to end with it
        )
    try:
        _wait_until_it_listens(port)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@asynccontextmanager
async def visitor(of: Shop) -> AsyncIterator[Visitor]:
    """Open a browser of its own."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Visitor(of, session)


async def keys_of(one: World) -> dict[str, dict[str, bytes]]:
    """Return the return keys in use, {service or merchant: {id: secret}}."""
    found: dict[str, dict[str, bytes]] = {}
    async with one.database.read() as reader:
        for row in await service_keys.live(reader, "return", 0):
            secret = one.ports.vault.open(row.sealed, row.id, row.key_id)
            found.setdefault(row.service, {})[row.id] = secret
    return found


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)
        else:
            return
