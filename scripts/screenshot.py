"""Takes the README's picture of the demo again: .venv/bin/python -m scripts.screenshot (needs Chromium)."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import async_playwright

from smsgw.demo.world import Places, open_demo

PICTURE = Path(__file__).with_name("demo.png")


async def main() -> None:
    """Buy access and take the picture before the code is used."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            _, url = await open_demo(Places(folder=Path(folder), host="127.0.0.1", port=8080, verify_port=8081), stack)
            driver = await stack.enter_async_context(async_playwright())
            browser = await driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = await browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
            await page.goto(url)
            await page.get_by_role("button", name="Send SUN to 1234").click()
            await page.get_by_role("button", name="Send", exact=True).click()
            await page.get_by_role("button", name="Use code").click()
            await page.mouse.move(640, 790)
            await page.screenshot(path=PICTURE, animations="disabled")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
