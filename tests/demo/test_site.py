"""The demo's site as a browser, and as somebody hostile, sees it: pages, a phone that sends, events, defined errors."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar

from smsgw.demo import phone as phone_module, site as site_module
from smsgw.text import coding, segments
from tests.demo.shop import Shop, shop

PAGES = ["/", "/expired", "/invalid"]


@asynccontextmanager
async def visitor(one: Shop, page: str = "/") -> AsyncIterator[ClientSession]:
    """A browser that has loaded a page."""
    jar = CookieJar(unsafe=True)  # cookies of addresses without a name
    async with ClientSession(one.url, cookie_jar=jar) as session:
        async with session.get(page) as response:
            assert response.status == 200
        yield session


async def number(session: ClientSession) -> str:
    async with session.get("/") as response:
        found = re.search(r"from (\+359 [\d ]+)", await response.text())
    assert found is not None
    return found[1]


async def send(session: ClientSession, text: str) -> tuple[int, Any]:
    async with session.post("/phone/messages", json={"text": text}) as response:
        return response.status, await response.json(content_type=None)


class Events:
    """Reads an event stream."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.messages: dict[int, Any] = {}
        self.wire: list[Any] = []
        self.binds: list[Any] = []

    async def until(self, condition: Any) -> None:
        """Read until the condition holds."""
        name = ""
        while not condition(self):
            line = (await self._response.content.readline()).decode()
            if not line:
                raise EOFError
            line = line.strip()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self._take(name, json.loads(line.removeprefix("data: ")))

    def states(self) -> list[str]:
        """Return how the messages fare, the oldest first."""
        return [message["state"] for message in self.messages.values()]

    def _take(self, name: str, values: list[Any]) -> None:
        if name == "messages":
            self.messages |= {one["id"]: one for one in values}
        elif name == "wire":
            self.wire += values
        else:
            [self.binds] = values


# Pages


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_is_served_with_headers_that_allow_nothing_foreign(path: str) -> None:
    async with shop(bound=False) as one, visitor(one, path) as session, session.get(path) as response:
        policy = dict(
            rule.strip().split(" ", 1) for rule in response.headers["Content-Security-Policy"].split(";") if rule
        )
        verify = one.verify_url.removesuffix("/v/sunrise")
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": f"'self' {verify}",
            "form-action": f"'self' {verify} {one.url}",
            "frame-src": f"'self' {verify}",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        text = await response.text()
        assert "style=" not in text
        assert "onclick" not in text
        assert set(re.findall(r"https?://[^\"<]+", text)) <= {one.verify_url}


def test_no_file_names_another_host() -> None:
    for folder in ("static", "templates"):
        for file in (files("smsgw.demo") / folder).iterdir():
            assert set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", file.read_text())) <= {"http://www.w3.org"}


async def test_a_browser_keeps_its_number_and_another_one_has_another() -> None:
    async with shop(bound=False) as one, visitor(one) as first, visitor(one, "/expired") as second:
        assert await number(first) == await number(first) != await number(second)
        [cookie] = first.cookie_jar
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


async def test_a_page_that_does_not_exist_says_so_in_the_sites_own_look() -> None:
    async with shop(bound=False) as one, visitor(one) as session:
        async with session.get("/nothing") as response:
            assert response.status == 404
            assert "No path leads here" in await response.text()
        async with session.post("/paid") as response:
            assert response.status == 405
            assert "GET" in response.headers["Allow"]
            assert 'This page can only be looked at. <a href="/">' in await response.text()
        async with session.get("/static/../site.py") as response:
            assert response.status == 404


async def test_assets_are_served_and_may_be_checked_again() -> None:
    async with shop(bound=False) as one, visitor(one) as session:
        for name, kind in (("demo.css", "text/css"), ("demo.js", "javascript"), ("icon.svg", "image/svg+xml")):
            async with session.get(f"/static/{name}") as response:
                assert response.status == 200
                assert kind in response.headers["Content-Type"]
                assert response.headers["Cache-Control"] == "no-cache"
                tag = response.headers["ETag"]
            async with session.get(f"/static/{name}", headers={"If-None-Match": tag}) as response:
                assert response.status == 304


async def test_localhost_is_sent_to_the_address_that_the_gateway_knows() -> None:
    async with shop(bound=False) as one, ClientSession() as session:
        by_name = one.url.replace("127.0.0.1", "localhost")
        headers = {"Host": by_name.removeprefix("http://")}
        async with session.get(f"{one.url}/paid?x=1", headers=headers, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (307, f"{one.url}/paid?x=1")
        async with session.get(one.url, headers={"Host": "localhost:1"}, allow_redirects=False) as response:
            assert response.status == 200


async def test_too_many_visitors_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_module, "PHONES_LIMIT", 1)
    async with (
        shop(bound=False) as one,
        visitor(one) as first,
        first.get("/phone/events"),
        ClientSession(one.url) as second,
        second.get("/") as response,
        second.get("/nothing") as nothing,
    ):
        assert response.status == 503
        assert "no phone is left" in await response.text()
        assert nothing.status == 404
        assert "This page does not exist" in await nothing.text(), "although there is no phone to show beside it"


async def test_a_fault_of_the_demo_has_a_page_and_shows_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("surprise")

    async with shop(bound=False) as one, visitor(one) as session:
        monkeypatch.setattr(phone_module.Phones, "find", broken)
        async with session.get("/expired") as response:
            assert response.status == 500
            text = await response.text()
            assert "Something went wrong" in text
            assert "surprise" not in text


# The phone


async def test_a_message_is_sent_delivered_and_answered_live() -> None:
    async with shop() as one, visitor(one) as session, session.get("/phone/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        events = Events(response)
        await events.until(lambda seen: seen.binds)
        assert events.binds == [{"kind": "transceiver", "system_id": "smsgw"}]
        status, sent = await send(session, "SUN")
        assert (status, sent["text"], sent["state"]) == (202, "SUN", "sending")
        await events.until(lambda seen: seen.states() == ["delivered", "received"] and len(seen.wire) == 6)
        mine, answer = events.messages.values()
        assert mine["id"] == sent["id"]
        assert answer["code"] == "K7XM2P9A"
        assert 0 <= answer["reply_ms"] < 10_000
        names = [(pdu["sender"], pdu["name"]) for pdu in events.wire]
        assert names[:3] == [
            ("gateway", "bind_transceiver"),
            ("operator", "bind_transceiver_resp"),
            ("operator", "deliver_sm"),
        ]
        assert sorted(names[3:]) == [
            ("gateway", "deliver_sm_resp"),
            ("gateway", "submit_sm"),
            ("operator", "submit_sm_resp"),
        ]
        told = json.dumps(events.wire)
        assert "K7XM" not in told
        assert (await number(session)).replace(" ", "").lstrip("+") not in told


async def test_who_comes_back_sees_the_conversation_again_and_nobody_elses() -> None:
    async with shop() as one, visitor(one) as session, visitor(one) as stranger:
        await send(session, "SUN")
        for browser, expected in ((session, 2), (session, 2), (stranger, 0)):
            async with browser.get("/phone/events") as response:
                events = Events(response)
                await events.until(lambda seen, expected=expected: len(seen.messages) == expected and seen.binds)
                assert len(events.messages) == expected


async def test_a_message_waits_while_the_gateway_is_away() -> None:
    async with shop(bound=False) as one, visitor(one) as session, session.get("/phone/events") as response:
        events = Events(response)
        await send(session, "SUN")
        await events.until(lambda seen: seen.messages)
        assert (events.states(), events.binds) == (["sending"], [])
        await one.bind()
        await events.until(lambda seen: seen.states() == ["delivered", "received"])


@pytest.mark.parametrize("text", ["🌄" * 1600, "SUN\0", "<script>alert(1)</script>", "дълго " * 260, "a" * 1600])
async def test_any_text_of_up_to_1600_characters_reaches_the_gateway_as_it_is(text: str) -> None:
    async with shop() as one, visitor(one) as session:
        status, _ = await send(session, text)
        assert status == 202
        expected = len(segments.split(text, reference=1)) if "\0" not in text else 1
        await one.gateway.until(lambda: len(one.gateway.delivered) == expected)
        pdus = one.gateway.delivered
        parts = [segments.parse_part(pdu.short_message, pdu.esm_class) for pdu in pdus]
        data = segments.join([part for part in parts if part is not None]) or pdus[0].short_message
        assert coding.decode(data, pdus[0].data_coding) == text


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b'{"text": "' + b"a" * 1601 + b'"}', 422, "A message has at most 1600 characters; this one has 1601."),
        (b'{"text": ""}', 422, "Write something first."),
        (b'{"text": " \\n\\t"}', 422, "Write something first."),
        (b'{"text": 5}', 400, 'Send one JSON object with the member "text".'),
        (b'{"text": "a", "to": "359888"}', 400, 'Send one JSON object with the member "text".'),
        (b'{"text": "\\ud83c"}', 400, 'Send one JSON object with the member "text".'),
        (b'{"text": "\xff"}', 400, 'Send one JSON object with the member "text".'),
        (b"[]", 400, 'Send one JSON object with the member "text".'),
        (b"{", 400, 'Send one JSON object with the member "text".'),
        (b"", 400, 'Send one JSON object with the member "text".'),
        (b"[" * 20_000, 400, 'Send one JSON object with the member "text".'),
        (b'{"text": "' + b"a" * 40_000 + b'"}', 413, None),
    ],
)
async def test_what_is_not_a_message_has_a_defined_answer(body: bytes, status: int, detail: str | None) -> None:
    async with shop(bound=False) as one, visitor(one) as session:
        headers = {"Content-Type": "application/json"}
        async with session.post("/phone/messages", data=body, headers=headers) as response:
            assert (response.status, response.content_type) == (status, "application/problem+json")
            problem = await response.json(content_type=None)
            assert (problem["status"], problem["type"]) == (status, "about:blank")
            assert detail is None or problem["detail"] == detail


async def test_a_form_of_another_site_cannot_send() -> None:
    async with (
        shop(bound=False) as one,
        visitor(one) as session,
        session.post("/phone/messages", data='{"text": "SUN"}') as response,
    ):
        assert response.status == 415


async def test_a_phone_that_is_not_switched_on_neither_sends_nor_hears() -> None:
    async with shop(bound=False) as one, ClientSession(one.url, cookies={"phone": "359881234567"}) as session:
        status, problem = await send(session, "SUN")
        assert (status, problem["detail"]) == (404, "This phone is not switched on. Load the page again.")
        async with session.get("/phone/events") as response:
            assert response.status == 404


async def test_too_many_waiting_messages_and_open_tabs_are_refused() -> None:
    async with shop(bound=False) as one, visitor(one) as session:
        statuses = [(await send(session, "SUN"))[0] for _ in range(phone_module.WAITING_LIMIT + 1)]
        assert statuses == [202] * phone_module.WAITING_LIMIT + [429]
        tabs = [await session.get("/phone/events") for _ in range(phone_module.LISTENERS_LIMIT + 1)]
        assert [tab.status for tab in tabs] == [200] * phone_module.LISTENERS_LIMIT + [429]
        for tab in tabs:
            tab.close()


async def test_tabs_that_were_closed_do_not_count_and_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(site_module, "LOOK_S", 0.01)
    async with shop() as one, visitor(one) as session:
        for _ in range(phone_module.LISTENERS_LIMIT):
            async with session.get("/phone/events") as response:
                await Events(response).until(lambda seen: seen.binds)
        await asyncio.sleep(0.1)
        async with session.get("/phone/events") as response:
            assert response.status == 200
            await send(session, "SUN")
            await Events(response).until(lambda seen: seen.states() == ["delivered", "received"])
    assert caplog.records == []


async def test_a_change_for_a_browser_that_has_just_gone_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(site_module, "LOOK_S", 60)
    async with shop() as one, visitor(one) as session:
        response = await session.get("/phone/events")
        await Events(response).until(lambda seen: seen.binds)
        response.close()
        await asyncio.sleep(0.1)
        one.smsc.drop()
        await asyncio.sleep(0.1)
        async with session.get("/phone/events") as response:
            await Events(response).until(lambda seen: seen.wire)
    assert caplog.records == []


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "BODY_TIMEOUT_S", 0.05)
    never = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        yield b'{"text": '
        await never.wait()

    async with shop(bound=False) as one, visitor(one) as session:
        headers = {"Content-Type": "application/json"}
        async with session.post("/phone/messages", data=drip(), headers=headers) as response:
            assert response.status == 408


async def test_open_streams_do_not_hold_up_the_end() -> None:
    async with shop() as one, visitor(one) as session, session.get("/phone/events") as response:
        await Events(response).until(lambda seen: seen.binds)
        began = asyncio.get_running_loop().time()
        await one.close()
        assert asyncio.get_running_loop().time() - began < 3
        with pytest.raises((aiohttp.ClientError, EOFError)):
            await Events(response).until(lambda _: False)
