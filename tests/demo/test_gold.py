"""The demo's gold shop: what a token is worth, and a buyer in Chromium who pays by the phone on the same page."""

import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from playwright.async_api import Page, expect

from smsgw.demo.purse import Paid, Purse
from smsgw.demo.world import open_demo
from smsgw.flows.payments.returning import KIND
from smsgw.kit.tokens import Signer
from tests.demo.shop import SECRET, proof, shop
from tests.demo.test_page import browsing_at, chromium  # noqa: F401 - chromium is a fixture
from tests.demo.test_world import places

GOOD = {"iss": "smsgw", "aud": "gold", "outcome": "succeeded", "jti": "pay_1", "state": "mine", "units": 250}
QUIET = "Blocked autofocusing"  # what the browser says of a form in a frame
NOW_MS = int(time.time() * 1000)


def token(kind: str = KIND, secret: bytes = SECRET, key: str = "key_1", **claims: object) -> str:
    return Signer(key, secret, kind).sign(GOOD | {"exp": NOW_MS // 1000 + 60} | claims)


@pytest.fixture
def purse() -> Purse:
    return Purse("gold", lambda: {"key_1": SECRET}, lambda: NOW_MS)


def test_a_payment_fills_it_once(purse: Purse) -> None:
    assert purse.open(token(), "mine") == Paid(outcome="succeeded", units=250)
    assert purse.open(token(), "mine") is None
    assert purse.open(token(iat=1), "mine") is None, "another token of the same payment"
    assert purse.open(token(jti="pay_2", outcome="declined"), "mine") == Paid(outcome="declined", units=0)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a.b.c",
        token(state="theirs"),
        token(aud="sunrise"),
        token(iss="them"),
        token(exp=NOW_MS // 1000),
        token(secret=b"x" * 32),
        token(key="key_2"),
        token(kind="smsgw-return+jws"),
        proof(state="mine"),
    ],
)
def test_everything_else_is_worth_nothing(purse: Purse, bad: str) -> None:
    assert purse.open(bad, "mine") is None


async def test_an_address_alone_fills_no_purse() -> None:
    async with shop(bound=False) as one, ClientSession(one.url, cookie_jar=CookieJar(unsafe=True)) as session:
        text = ""
        for path in ("/gold", "/gold/back", "/gold/back?rt=x", "/gold"):
            async with session.get(path) as response:
                text = await response.text()
                frames = response.headers["Content-Security-Policy"].partition("frame-ancestors ")[2]
                assert frames == ("'self'" if "back" in path else "'none'")
        assert '<b id="purse">0</b>' in text


@pytest.mark.peers
@pytest.mark.parametrize("layout", ["two pages", "one page"])
@pytest.mark.usefixtures("chromium")
async def test_a_buyer_pays_beside_the_phone(tmp_path: Path, layout: str) -> None:
    async with AsyncExitStack() as stack:
        _, url = await open_demo(places(tmp_path), stack)
        page: Page = await stack.enter_async_context(browsing_at(f"{url}/gold", expected=QUIET))
        number = (await page.locator(".contact p").text_content() or "").removeprefix("Your number: ")
        checkout = page.frame_locator("iframe.checkout")
        if layout == "two pages":
            await page.get_by_role("link", name="Buy gold").click()
            await checkout.get_by_role("link", name="500 gold").click()
        else:
            await page.get_by_role("link", name="or all on one page").click()
            await checkout.get_by_label("500 gold").check()
        await checkout.get_by_label("Your phone number").fill(number)
        await checkout.get_by_role("button", name="Continue").click()
        await expect(checkout.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()
        await expect(page.get_by_role("button", name="Answer YES")).to_be_visible()
        await page.get_by_label("Text message to 1234").fill("ДА")
        await page.get_by_role("button", name="Send", exact=True).click()
        await page.wait_for_url("**/gold")  # by itself, after five seconds
        await expect(page.locator("#purse")).to_have_text("500")
        await expect(page.get_by_text("Paid. The gold is in your purse.")).to_be_visible()
        await page.reload()
        await expect(page.locator("#purse")).to_have_text("500")
    with sqlite3.connect(tmp_path / "state" / "smsgw.db") as database:
        assert database.execute("select status, amount_minor from payments").fetchall() == [("succeeded", 450)]
    database.close()
