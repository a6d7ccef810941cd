"""A newcomer in Chromium buys access: from the phone on the page to the paid page, by mouse or keyboard."""

import os
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.demo.shop import Shop, shop

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = (1280, 800), (390, 844)

pytestmark = pytest.mark.peers


@pytest.fixture(autouse=True)
def chromium() -> None:
    """Require Debian's Chromium; in CI it is there."""
    if not CHROMIUM.exists():
        sentence = "Chromium is missing; apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    warnings.filterwarnings("ignore", category=ResourceWarning)  # the browser driver's own pipes


@asynccontextmanager
async def browsing(one: Shop, size: tuple[int, int] = DESKTOP, expected: str = "") -> AsyncIterator[Page]:
    """Show the demo; whatever the browser complains about fails the test, unless it is expected."""
    async with browsing_at(one.url, size, expected) as page:
        yield page


@asynccontextmanager
async def browsing_at(url: str, size: tuple[int, int] = DESKTOP, expected: str = "") -> AsyncIterator[Page]:
    """Show a page."""
    complaints: list[str] = []
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
        page.set_default_timeout(10_000)
        page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        try:
            yield page
        finally:
            await browser.close()
    assert [complaint for complaint in complaints if not expected or expected not in complaint] == []


async def ask(page: Page) -> None:
    """Send the message that the page suggests."""
    await page.get_by_role("button", name="Send SUN to 1234").click()
    await page.get_by_role("button", name="Send", exact=True).click()


async def test_a_newcomer_buys_access() -> None:
    async with shop() as one, browsing(one) as page:
        await expect(page.locator("#link")).to_have_text("Operator link: bound as transceiver")
        await ask(page)
        await page.get_by_role("button", name="Use code K7XM2P9A").click()
        await expect(page.get_by_label("Access code")).to_have_value("K7XM2P9A")
        await page.get_by_role("button", name="Open the forecast").click()
        await page.wait_for_url("**/paid")
        await expect(page.get_by_text("Access granted")).to_be_visible()
        await expect(page.locator("#messages li")).to_have_count(2)  # the phone is still there
        assert one.verified == ["K7XM2P9A"]
        await page.get_by_text("On the wire").click()
        names = await page.locator("#pdus td:nth-child(3)").all_text_contents()
        assert sorted(names) == sorted(
            [
                "submit_sm_resp",
                "submit_sm",
                "deliver_sm_resp",
                "deliver_sm",
                "bind_transceiver_resp",
                "bind_transceiver",
            ]
        )


async def test_the_keyboard_is_enough() -> None:
    async with shop() as one, browsing(one) as page:
        await page.get_by_label("Text message to 1234").focus()
        await page.keyboard.type("sun")
        await page.keyboard.press("Enter")
        code = page.get_by_role("button", name="Use code K7XM2P9A")
        await code.focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/paid")


async def test_everything_fits_on_a_narrow_screen_with_the_phone_first() -> None:
    async with shop() as one, browsing(one, PHONE) as page:
        phone, site = page.locator(".phone"), page.locator(".browser")
        upper, lower = await phone.bounding_box(), await site.bounding_box()
        assert upper is not None
        assert lower is not None
        assert upper["y"] + upper["height"] <= lower["y"]
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        await ask(page)
        await page.get_by_role("button", name="Use code K7XM2P9A").click()
        await expect(page.get_by_role("button", name="Open the forecast")).to_be_in_viewport()
        await page.get_by_role("button", name="Open the forecast").click()
        await page.wait_for_url("**/paid")
        await expect(page.get_by_text("Access granted")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("code", "path", "sentence"),
    [
        ("old", "expired", "The sun has set on this code"),
        ("<b>?&code=1", "invalid", "We cannot see this code anywhere"),
    ],
)
async def test_a_code_that_does_not_open_leads_to_its_page(code: str, path: str, sentence: str) -> None:
    async with shop() as one, browsing(one) as page:
        await page.get_by_label("Access code").fill(code)
        await page.get_by_role("button", name="Open the forecast").click()
        await page.wait_for_url(f"**/{path}?rt=*")
        await expect(page.get_by_role("heading", level=1)).to_have_text(sentence)
        await expect(page.get_by_label("Access code")).to_be_visible()
        assert one.verified == [code]


async def test_the_code_can_be_used_from_another_page_too() -> None:
    async with shop() as one, browsing(one) as page:
        await ask(page)
        await page.locator(".use").wait_for()
        await page.goto(f"{one.url}/expired")
        await page.get_by_role("button", name="Use code K7XM2P9A").click()
        await expect(page.get_by_label("Access code")).to_have_value("K7XM2P9A")


async def test_a_gateway_that_is_not_there_is_one_sentence() -> None:
    async with shop() as one, browsing(one, expected="ERR_CONNECTION_REFUSED") as page:
        await one.close_verify()
        await page.get_by_label("Access code").fill("K7XM2P9A")
        await page.get_by_role("button", name="Open the forecast").click()
        host = one.verify_url.split("/")[2]
        await expect(page.get_by_role("alert")).to_have_text(
            f"The gateway does not answer at {host}. Please try again in a moment."
        )
        assert page.url == f"{one.url}/"


async def test_an_operator_link_that_is_down_is_shown_and_the_message_waits() -> None:
    async with shop(bound=False) as one, browsing(one) as page:
        await expect(page.locator("#link")).to_have_text("Operator link: not bound; messages wait")
        await ask(page)
        await expect(page.locator("#messages small")).to_contain_text("Sending")
        await one.bind()
        await expect(page.locator("#link")).to_have_text("Operator link: bound as transceiver")
        await expect(page.locator("#messages .received")).to_have_count(1)
        await expect(page.locator("#messages small").first).to_contain_text("Delivered")


async def test_what_is_written_is_shown_as_text_and_long_messages_stay_inside() -> None:
    async with shop() as one, browsing(one) as page:
        hostile = "<img src=x onerror=alert(1)> " + "w" * 500 + "🌄" * 200
        await page.get_by_label("Text message to 1234").fill(hostile)
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.locator("#messages li:not(.received) p")).to_have_text(hostile)
        await expect(page.locator("#messages img")).to_have_count(0)
        await expect(page.locator("#messages .received").last).to_contain_text("We do not know this word.")
        assert await page.evaluate("document.documentElement.scrollWidth") == DESKTOP[0]
        thread = "document.getElementById('thread')"
        assert await page.evaluate(f"{thread}.scrollWidth <= {thread}.clientWidth")


async def test_screen_readers_hear_new_messages_and_every_control_has_a_name() -> None:
    async with shop() as one, browsing(one) as page:
        log = page.get_by_role("log", name="Messages with 1234")
        await expect(log).to_have_attribute("aria-live", "polite")
        await expect(log).to_have_attribute("aria-busy", "false")
        await ask(page)
        await page.locator(".use").wait_for()
        names = await page.evaluate(
            """[...document.querySelectorAll('button, input:not([type=hidden]), textarea, a')]
            .map(one => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent.trim())"""
        )
        assert all(names)
        assert await page.evaluate("document.documentElement.lang") == "en"
