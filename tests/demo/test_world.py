"""The demo as `smsgw demo` starts it: the real daemon between the phone and the paid page, in a real browser."""

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from aiohttp import ClientSession
from msgspec import structs
from playwright.async_api import expect

from smsgw.demo.world import Places, open_demo
from smsgw.errors import StartError
from tests.demo.test_page import browsing_at, chromium  # noqa: F401 - chromium is a fixture

pytestmark = pytest.mark.peers


def places(folder: Path) -> Places:
    return Places(folder=folder, host="127.0.0.1", port=0, verify_port=0)


async def test_a_newcomer_buys_access_from_the_real_gateway(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        _, url = await open_demo(places(tmp_path), stack)
        page = await stack.enter_async_context(browsing_at(url))
        await expect(page.locator("#link")).to_have_text("Operator link: bound as transceiver")
        await page.get_by_role("button", name="Send SUN to 1234").click()
        await page.get_by_role("button", name="Send", exact=True).click()
        await page.get_by_role("button", name="Use code").click()
        await page.get_by_role("button", name="Open the forecast").click()
        await page.wait_for_url("**/paid")
        await expect(page.get_by_text("Access granted")).to_be_visible()
    with sqlite3.connect(tmp_path / "state" / "smsgw.db") as database:
        assert database.execute("select outcome from attempts").fetchall() == [("success",)]
        assert database.execute("select status from mts").fetchall() == [("accepted",)]
    database.close()


async def test_a_wrong_keyword_is_answered_with_the_right_one(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        _, url = await open_demo(places(tmp_path), stack)
        page = await stack.enter_async_context(browsing_at(url))
        await page.get_by_label("Text message to 1234").fill("moon")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_text("Please send SUN to 1234.")).to_be_visible()


async def test_the_demo_can_be_started_again_in_its_folder(tmp_path: Path) -> None:
    for _ in range(2):
        async with AsyncExitStack() as stack:
            app, _ = await open_demo(places(tmp_path), stack)
            health = f"http://127.0.0.1:{app.verify_port}/health"
            async with asyncio.timeout(10), ClientSession() as session, session.get(health) as response:
                assert response.status == 200


@pytest.mark.parametrize(("which", "option"), [("port", "--port"), ("verify_port", "--verify-port")])
async def test_a_taken_port_is_one_sentence_that_says_how_to_choose_another(
    tmp_path: Path, which: str, option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        async with AsyncExitStack() as stack:
            with pytest.raises(StartError) as caught:
                await open_demo(structs.replace(places(tmp_path), **{which: taken}), stack)
    what = {"port": "page", "verify_port": "verify address"}[which]
    assert str(caught.value) == (
        f"demo: the {what} cannot listen on 127.0.0.1:{taken}: Address already in use; "
        f"choose another port with {option} PORT, or any free one with {option} 0"
    )
    assert caught.value.exit_status == 69
    assert os.listdir(tmp_path) == [], "nothing was begun"  # noqa: PTH208 - short, and nobody waits for it


async def test_one_port_cannot_serve_both(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with AsyncExitStack() as stack:
        with pytest.raises(StartError, match=f"cannot both have port {port}"):
            await open_demo(structs.replace(places(tmp_path), port=port, verify_port=port), stack)


async def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with AsyncExitStack() as stack:
        with pytest.raises(StartError, match=r"file/demo: cannot be written: Not a directory") as caught:
            await open_demo(places(tmp_path / "file" / "demo"), stack)
    assert caught.value.exit_status == 73


async def test_the_gateway_s_own_pages_look_like_the_demo_and_lead_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        app, url = await open_demo(places(tmp_path), stack)
        gateway = f"http://127.0.0.1:{app.verify_port}"
        browsing = browsing_at(f"{gateway}/v/nothing", expected="Failed to load resource: the server responded with a")
        page = await stack.enter_async_context(browsing)
        await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        assert await page.locator("main").evaluate("one => getComputedStyle(one).display") == "grid", "with its style"
        with closing(sqlite3.connect(tmp_path / "state" / "smsgw.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            await page.goto(f"{gateway}/v/sunrise?code=X")
        await expect(page.get_by_role("heading", name="One moment, please")).to_be_visible()
        await page.get_by_role("link", name="Back to tomorrow").click()
        await page.wait_for_url(f"{url}/")


async def test_the_command_says_where_to_look_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "smsgw", "demo", "--folder", str(tmp_path), "--port", "0", "--verify-port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(30):
        while b"Ctrl+C" not in seen:
            line = await process.stdout.readline()
            assert line, "the demo ended early"
            seen += line
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert b"Open  http://127.0.0.1:" in seen
    assert process.returncode == 0, errors


async def test_the_api_s_page_is_there_in_the_demo_too(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack, ClientSession() as session:
        app, _ = await open_demo(places(tmp_path), stack)
        for path, words in (("/docs", "/v1/codes/redeem"), ("/docs/static/docs.css", "{"), ("/nothing", "Firstlight")):
            async with session.get(f"http://127.0.0.1:{app.verify_port}{path}") as response:
                assert words in await response.text()
