"""Buyers in Chromium pay by a phone that answers: on a phone and at a desk, with and without script, by keyboard."""

import asyncio
import os
import warnings
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from smsgw.kit.clock import SystemClock
from tests.demo.test_page import CHROMIUM
from tests.web.checkout.till import BUYER, TYPED, Till, browser, till, window

PHONE, DESK, SMALL = (390, 844), (1280, 800), (320, 640)
REFUSED: Final = "the server responded with a status of 422"  # what the browser says of a form that comes back

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


def paid(one: Till, amount_minor: int) -> None:
    """See whether the operator's ledger says what the merchant was told."""
    assert [(entry.msisdn, entry.amount_minor) for entry in one.billing.charges] == [(BUYER, amount_minor)]
    told = one.proof()
    assert (told["outcome"], told["amount_minor"], told["state"]) == ("succeeded", amount_minor, "basket 7")
    assert one.returned[-1]["state"] == "basket 7"


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_on_two_pages(tmp_path: Path, size: tuple[int, int]) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, size, locale="bg-BG") as page:
        await page.goto(f"{one.url}?state=basket+7&reference=order-1")
        await page.get_by_role("link", name="500 злато").click()
        await page.get_by_label("Вашият телефонен номер").fill(TYPED)
        await page.get_by_role("button", name="Продължи").click()
        await expect(page.get_by_role("heading", name="Отговорете с ДА от телефона си")).to_be_visible()
        await expect(page.get_by_text("Vega")).to_be_visible()
        await one.answer("ДА")
        await expect(page.get_by_role("heading", name="Платено")).to_be_visible()
        await page.get_by_role("link", name="Обратно към Dragon Gold").click()
        await page.wait_for_url("**/back**")
        paid(one, 450)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_on_one_page_and_the_browser_goes_back_by_itself(tmp_path: Path, size: tuple[int, int]) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, size, locale="bg-BG") as page:
        await page.goto(f"{one.url}?layout=one_page&state=basket+7")
        await page.get_by_label("250 злато").check()
        await page.get_by_label("Вашият телефонен номер").fill(TYPED)
        await page.get_by_role("button", name="Продължи").click()
        await expect(page.get_by_role("heading", name="Отговорете с ДА от телефона си")).to_be_visible()
        await one.answer("дa!")
        await expect(page.get_by_text("Връщаме Ви след")).to_be_visible()
        await page.wait_for_url("**/back**", timeout=15_000)
        paid(one, 250)


async def test_who_wants_to_stay_stays(tmp_path: Path) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, DESK) as page:
        await begin(page, one)
        await one.answer("yes")
        await page.get_by_role("button", name="Stay here").click()
        await expect(page.get_by_role("link", name="Back to Dragon Gold")).to_be_focused()
        await asyncio.sleep(5.5)
        assert "/pay/p/" in page.url


async def test_without_script(tmp_path: Path) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, PHONE, script=False) as page:
        await page.goto(f"{one.url}?state=basket+7")
        await page.get_by_role("link", name="250 gold").click()
        await page.get_by_label("Your phone number").fill(TYPED)
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("link", name="Look again").click()
        await expect(page.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()
        await expect(page.get_by_text("Time left: about 15 minutes")).to_be_visible()
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible(timeout=20_000)  # it looks again by itself
        await page.get_by_role("link", name="Back to Dragon Gold").click()
        paid(one, 250)


async def test_a_reload_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, PHONE) as page:
        await begin(page, one)
        address = page.url
        await page.reload()
        await expect(page.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()
        await page.goto("about:blank")
        await page.goto(one.url)  # the address is lost; the shop knows
        await page.get_by_role("link", name="Go to it").click()
        assert page.url == address
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        await page.get_by_role("link", name="Back to Dragon Gold").click()
        await page.wait_for_url("**/back**")
        paid(one, 250)


async def test_the_keyboard_is_enough(tmp_path: Path) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, DESK, expected=[REFUSED]) as page:
        await page.goto(f"{one.url}?layout=one_page&state=basket+7")
        await page.keyboard.press("Tab")
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_label("500 gold")).to_be_checked()
        await page.keyboard.press("Tab")
        await page.keyboard.type("0888 12")
        await page.keyboard.press("Enter")
        number = page.get_by_label("Your phone number")
        await expect(number).to_be_focused()
        await expect(number).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("500 gold")).to_be_checked()
        await page.keyboard.press("End")
        await page.keyboard.type("3 445")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Back to Dragon Gold")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/back**")
        paid(one, 450)


@pytest.mark.parametrize("script", [True, False])
async def test_another_language_keeps_what_is_typed_and_enter_still_pays(tmp_path: Path, *, script: bool) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, SMALL, script=script) as page:
        await page.goto(f"{one.url}?product=gold-250&state=basket+7")
        await page.get_by_label("Your phone number").fill(TYPED)
        await page.get_by_role("button", name="Українська").click()
        number = page.get_by_label("Ваш номер телефону")
        await expect(number).to_have_value(TYPED)
        await page.get_by_role("button", name="English").click()
        await expect(page.get_by_label("Your phone number")).to_have_value(TYPED)
        await page.get_by_label("Your phone number").press("Enter")
        await expect(page.get_by_role("link", name="Українська")).to_be_visible()
        assert "/pay/p/" in page.url


class Ahead(SystemClock):
    """The machine's clock, put forward."""

    ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ms


async def test_the_number_is_remembered_and_forgotten(tmp_path: Path) -> None:
    clock = Ahead()
    async with till(tmp_path, clock=clock) as one, browser() as found, window(found, PHONE) as page:
        await page.goto(f"{one.url}?product=gold-250")
        await expect(page.get_by_label("Remember this number on this device")).not_to_be_checked()
        await page.get_by_label("Remember this number on this device").check()
        await begin(page, one, "")
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        one.texts.clear()
        await page.goto(f"{one.url}?product=gold-500&state=basket+7")
        await page.get_by_role("button", name="Pay with +359").click()
        await expect(page.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()
        clock.ms += 5_000  # sooner, the answer could be meant for the payment before
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        await page.goto(f"{one.url}?product=gold-500")
        await page.get_by_role("button", name="Use another number").click()
        await expect(page.get_by_label("Your phone number")).to_be_visible()
        await page.goto(f"{one.url}?product=gold-500")
        await page.get_by_role("button", name="Forget this number").click()
        await expect(page.get_by_role("status")).to_have_text("The number is forgotten.")
        assert [entry.amount_minor for entry in one.billing.charges] == [250, 450]


async def test_where_streams_do_not_get_through_the_page_asks(tmp_path: Path) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, PHONE, expected=["ERR_FAILED"]) as page:
        await page.route("**/events*", lambda route: route.abort())
        await begin(page, one)
        await one.answer("NO")
        await expect(page.get_by_role("heading", name="You declined the payment")).to_be_visible()
        await expect(page.get_by_text("Nothing was charged.")).to_be_visible()
        assert one.billing.charges == ()


async def test_a_buyer_cancels_and_takes_another_number(tmp_path: Path) -> None:
    async with till(tmp_path) as one, browser() as found, window(found, PHONE) as page:
        await page.goto(f"{one.url}?product=gold-250&state=basket+7&reference=order-1")
        await page.get_by_label("Your phone number").fill("0888 123 446")
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Cancel payment").click()
        await page.get_by_role("link", name="Try again").click()
        await page.get_by_label("Your phone number").fill(TYPED)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        await page.get_by_role("link", name="Back to Dragon Gold").click()
        await page.wait_for_url("**/back**")
        paid(one, 250)
        assert one.proof()["merchant_reference"] == "order-1~2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_read_it_and_nothing_hangs_over(tmp_path: Path, scheme: Any) -> None:
    """Names, one heading, no text too faint (WCAG 2 AA), nothing wider than 320 px, nothing too small to hit."""
    async with (
        till(tmp_path) as one,
        browser() as found,
        window(found, SMALL, scheme=scheme, expected=[REFUSED]) as page,
    ):
        for language in ("en", "bg", "uk", "ru"):
            await page.goto(f"{one.url}?layout=one_page&lang={language}")
            await check(page)
            await page.locator("button.button").click()
            await check(page)
            await page.goto(f"{one.url}?product=gold-250&lang={language}")
            await check(page)
        await page.goto(f"{one.url}?lang=en")
        await begin(page, one)
        await check(page)
        await one.answer("YES")
        await expect(page.get_by_role("heading", name="Paid")).to_be_visible()
        await expect(page.locator("#live")).to_have_text("Paid")
        await check(page)


async def begin(page: Page, one: Till, address: str = "?product=gold-250&state=basket+7") -> None:
    """Ask for 250 gold."""
    if address:
        await page.goto(f"{one.url}{address}")
    await page.get_by_label("Your phone number").fill(TYPED)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Answer YES on your phone")).to_be_visible()


async def check(page: Page) -> None:
    """See whether everybody can use what is shown."""
    found = await page.evaluate(LOOK)
    assert found == [], page.url


# What a page must not have; in the page's own language, as the browser has laid it out.
LOOK: Final = """() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push(`wider than the window: ${root.scrollWidth}`);
  if (!root.lang) wrong.push("no language");
  const seen = (one) => one.getClientRects().length && getComputedStyle(one).visibility === "visible"
    && !one.closest(".hidden, [hidden], noscript");
  const headings = [...document.querySelectorAll("h1")];
  if (headings.length !== 1) wrong.push(`${headings.length} headings`);
  for (const one of document.querySelectorAll("a, button, input:not([type=hidden])")) {
    const name = one.getAttribute("aria-label") || one.textContent.trim()
      || [...(one.labels ?? [])].map((label) => label.textContent.trim()).join(" ");
    if (!name) wrong.push(`no name: ${one.outerHTML}`);
    if (!seen(one)) continue;
    const box = (one.closest("label") ?? one).getBoundingClientRect();
    if (box.height < 24 || box.width < 24) wrong.push(`too small: ${one.outerHTML}`);
  }
  for (const one of document.querySelectorAll("[aria-describedby]"))
    for (const id of one.getAttribute("aria-describedby").split(" "))
      if (!document.getElementById(id)) wrong.push(`describes nothing: ${id}`);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value, at) => (at < 3 ? value : value / 255));
  };
  const over = (top, under) => top.slice(0, 3).map((value, at) => value * top[3] + under[at] * (1 - top[3])).concat(1);
  const behind = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (colour) => {
    const parts = colour.map((value) => value / 255);
    const [r, g, b] = parts.map((v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !seen(one)) continue;
    const style = getComputedStyle(one), under = behind(one);
    const [a, b] = [light(over(rgba(style.color), under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)}: ${texts.currentNode.data.trim()}`);
  }
  return wrong;
}"""
