"""Takes the README's pictures of the demo again: .venv/bin/python -m scripts.screenshot (needs Chromium)."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from smsgw.demo.world import Places, open_demo

DOOR = Path(__file__).with_name("demo.png")
SHOP = Path(__file__).with_name("shop.png")


async def main() -> None:
    """Start the demo, and use it as a visitor would."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            _, url = await open_demo(Places(folder=Path(folder), host="127.0.0.1", port=8080, verify_port=8081), stack)
            driver = await stack.enter_async_context(async_playwright())
            browser = await driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for take in (_door, _shop):
                page = await browser.new_page(viewport={"width": 1280, "height": 836}, color_scheme="light")
                await take(page, url)
                await page.close()
            await browser.close()


async def _door(page: Page, url: str) -> None:
    """Buy access, and take the picture before the code is used."""
    await page.goto(url)
    await page.get_by_role("button", name="Send SUN to 1234").click()
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.get_by_role("button", name="Use code").click()
    await _take(page, DOOR)


async def _shop(page: Page, url: str) -> None:
    """Order gold, and take the picture before the phone answers."""
    await page.goto(f"{url}/gold")
    number = (await page.locator(".contact p").text_content() or "").removeprefix("Your number: ")
    checkout = page.frame_locator("iframe.checkout")
    await page.get_by_role("link", name="Buy gold").click()
    await checkout.get_by_role("link", name="500 gold").click()
    await checkout.get_by_label("Your phone number").fill(number)
    await checkout.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("button", name="Answer YES")).to_be_visible()
    await _take(page, SHOP)


async def _take(page: Page, picture: Path) -> None:
    await page.evaluate("scrollTo(0, 0)")
    await page.mouse.move(640, 830)
    await page.screenshot(path=picture, animations="disabled")


if __name__ == "__main__":
    asyncio.run(main())
