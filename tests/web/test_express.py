"""The short way: what goes it, what does not, and that nobody can tell the difference by the answer."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, strategies as st

from smsgw.settings import Web
from smsgw.web import express
from smsgw.web.connection import Connection
from smsgw.web.express import Express, Visitor, read
from smsgw.web.guard import HEADERS, page_of
from smsgw.web.server import VERIFY
from smsgw.web.verify import Plain
from tests.servers.engines import Engine
from tests.web.site import Site, site

HEAD = "GET /v/sun?{} HTTP/1.1\r\nHost: x\r\n{}\r\n"
PATIENCE_S = 20.0


def plain(query: str = "code=ABC&state=s", more: str = "") -> bytes:
    return HEAD.format(query, more).encode()


@pytest.fixture
def given_away(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What aiohttp got to read."""
    heard: list[bytes] = []
    hear = Connection.data_received

    def data_received(self: Connection, data: bytes) -> None:
        heard.append(data)
        hear(self, data)

    monkeypatch.setattr(Connection, "data_received", data_received)
    return heard


@asynccontextmanager
async def visit(here: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read a status and headers."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", maxsplit=1) for line in lines[1:] if line)
    await reader.readexactly(int(headers["Content-Length"]))
    return int(lines[0].split()[1]), headers


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "typed", "state"),
    [
        ("code=ABC&state=s", "ABC", "s"),
        ("state=s&code=ABC", "ABC", "s"),
        ("code=ABC", "ABC", ""),
        ("", "", ""),
        ("code", "", ""),
        ("code=&state", "", ""),
        ("code=A=B&state==s", "A=B", "=s"),
        ("code=one&code=two&state=first&state=second", "one", "first"),
        ("&&code=ABC&&x=y", "ABC", ""),
        ("code=AB+CD&state=a%20b", "AB CD", "a b"),
        ("c%6fde=ABC", "ABC", ""),
        ("code=%D0%90&state=%26%3D", "А", "&="),  # noqa: RUF001 - Cyrillic
        ("code=%ff", "�", ""),
        ("CODE=ABC", "", ""),
        ("code=ABC;state=s", "ABC;state=s", ""),
    ],
)
def test_a_plain_visit_is_read(query: str, typed: str, state: str) -> None:
    assert read(plain(query)) == Plain("sun", typed, state, "")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        plain()[:-1],
        plain()[:-4],
        plain() + b"x",
        plain() * 2,
        plain().replace(b"GET", b"POST"),
        plain().replace(b"GET", b"HEAD"),
        plain().replace(b"GET ", b"GET  "),
        plain().replace(b"1.1", b"1.0"),
        plain().replace(b"/v/", b"/w/"),
        plain().replace(b"/v/sun", b"/v/sun/x"),
        plain().replace(b"/v/sun", b"http://x/v/sun"),
        plain().replace(b"?", b"#"),
        plain().replace(b"\r\n", b"\n"),
        plain().replace(b"Host: x\r\n", b""),
        plain(more="Host: y\r\n"),
        plain().replace(b"ABC", b"A C"),
        plain().replace(b"ABC", b"A\xd0C"),
        plain().replace(b"ABC", b"A\0C"),
        plain().replace(b"ABC", b"A" * 5_000),
        plain(more="Content-Length: 5\r\n"),
        plain(more="content-length: 0\r\n"),
        plain(more="Transfer-Encoding: chunked\r\n"),
        plain(more="Connection: close\r\n"),
        plain(more="Connection: keep-alive, close\r\n"),
        plain(more="Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        plain(more="Expect: 100-continue\r\n"),
        plain(more="X : y\r\n"),
        plain(more="X: a\r\n b\r\n"),
        plain(more="X: a\rb\r\n"),
        plain(more="X: \0\r\n"),
        plain(more="X: y\r\n" * 70),
        plain(more=f"X: {'y' * 5_000}\r\n"),
    ],
)
def test_anything_else_is_not(octets: bytes) -> None:
    assert read(octets) is None


def test_what_browsers_and_proxies_send_is_plain() -> None:
    more = (
        "Connection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux) Gecko\r\nAccept: text/html,*/*;q=0.8\r\n"
        "Accept-Language: bg,en;q=0.5\r\nReferer: https://m.example/\r\nCookie: a=b; c=d\r\nDNT: 1\r\n"
        "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nx-forwarded-for:10.0.0.2 \r\nSec-Fetch-Mode: navigate\r\n"
    )
    assert read(plain(more=more)) == Plain("sun", "ABC", "s", "192.0.2.1, 10.0.0.1,10.0.0.2")


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 10))
def test_no_octets_are_too_much(octets: bytes, at: int, cut: int) -> None:
    base = plain()
    found = read(base[:at] + octets + base[at + cut :])
    assert found is None or isinstance(found, Plain)


# --- the same answers -----------------------------------------------------------------------------------------------

QUERIES = [
    "code={code}&state=s",
    "code={code}",
    "state=a%26b%0d%0aX:y&code={code}",
    "code=WRONG&state=1",
    "code=%D0%90%00&state=2",
    "",
    "code={code}&state=%00",
    f"code={{code}}&state={'s' * 600}",
]


@pytest.mark.parametrize("query", QUERIES)
async def test_the_answer_is_that_of_the_long_way(sqlite: Engine, query: str, given_away: list[bytes]) -> None:
    answers = []
    for more in ("", "Content-Length: 0\r\n"):
        async with site(sqlite) as here, visit(here) as (reader, writer):
            writer.write(plain(query.format(code=await here.code()), more))
            status, headers = await answer(reader)
            place = headers.pop("Location", "").partition("rt=")[0]
            answers.append((status, place, {name: value for name, value in headers.items() if name not in FREE}))
    assert answers[0] == answers[1]
    refused = answers[0][0] != 303
    assert len(given_away) == (2 if refused else 1), "the first went the short way, unless it was refused"


FREE = {"Content-Type", "Server", "Date"}  # of no body; what the library is; here the library has another clock


@pytest.mark.parametrize(("proxies", "expected"), [([], "127.0.0.1"), (["127.0.0.1"], "192.0.2.7")])
async def test_a_forwarding_counts_only_from_our_proxies(sqlite: Engine, proxies: list[str], expected: str) -> None:
    async with site(sqlite, Web(port=0, proxies=proxies)) as here, visit(here) as (reader, writer):
        writer.write(plain(more="X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-For: 192.0.2.7\r\n"))
        await answer(reader)
        assert await here.one.rows("attempts", "visitor") == [(expected,)]


# --- the connection -------------------------------------------------------------------------------------------------


async def test_many_visits_follow_each_other_on_a_connection(sqlite: Engine, given_away: list[bytes]) -> None:
    async with site(sqlite) as here, visit(here) as (reader, writer):
        for number in range(5):
            writer.write(plain(f"code=WRONG&state={number}"))
            status, headers = await answer(reader)
            assert status == 303
            assert headers["Location"].endswith(f"&state={number}")
    assert given_away == []


async def test_what_comes_before_its_turn_is_answered_in_turn(sqlite: Engine) -> None:
    async with site(sqlite) as here, visit(here) as (reader, writer):
        here.one.database.open.clear()
        for request in (plain("state=1"), plain("state=2"), b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"):
            writer.write(request)
            await writer.drain()
            await asyncio.sleep(0.05)
        here.one.database.open.set()
        places = [(await answer(reader))[1].get("Location", "") for _ in range(3)]
    assert [place.rpartition("=")[2] for place in places] == ["1", "2", ""]


async def test_a_request_in_pieces_is_given_away(sqlite: Engine, given_away: list[bytes]) -> None:
    async with site(sqlite) as here, visit(here) as (reader, writer):
        for piece in (plain()[:20], plain()[20:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        assert (await answer(reader))[0] == 303
        writer.write(plain("state=next"))
        assert (await answer(reader))[1]["Location"].endswith("state=next")
    assert b"".join(given_away) == plain() + plain("state=next")


async def test_silence_has_an_end(sqlite: Engine) -> None:
    async with site(sqlite, Web(port=0, headers_timeout_s=0.3)) as here:
        async with visit(here) as (reader, _):
            assert await reader.read() == b""
        async with visit(here) as (reader, writer):
            for _ in range(4):
                writer.write(plain())
                await answer(reader)
                await asyncio.sleep(0.15)
            assert await reader.read() == b"", "later than without its visits, and closed all the same"


class Deaf(asyncio.Transport):
    """A transport whose other end can be made to read nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = asyncio.Event()
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted.set()


@asynccontextmanager
async def deaf(here: Site) -> AsyncIterator[tuple[Visitor, Deaf]]:
    """A visitor's connection in our hands."""
    app = here.server.app
    way = Express(
        app[VERIFY],
        now_ms=here.one.clock.now_ms,
        silence_s=PATIENCE_S,
        page=lambda status: page_of(app, status),
        other=asyncio.Protocol,
    )
    visitor, transport = Visitor(way), Deaf()
    visitor.connection_made(transport)
    yield visitor, transport
    visitor.connection_lost(None)


async def test_a_visitor_who_reads_nothing_is_cut_off(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(express, "READING_S", 0.05)
    async with site(sqlite) as here, deaf(here) as (visitor, transport):
        visitor.pause_writing()
        visitor.data_received(plain())
        await asyncio.wait_for(transport.aborted.wait(), PATIENCE_S)
        assert transport.written == [], "nobody would have read it"


async def test_a_visitor_who_reads_late_gets_everything(sqlite: Engine) -> None:
    async with site(sqlite) as here, deaf(here) as (visitor, transport):
        visitor.data_received(plain("state=1"))
        visitor.pause_writing()
        visitor.data_received(plain("state=2"))
        await here.get("X")  # behind it in the queue
        assert len(transport.written) == 1
        visitor.resume_writing()
        await here.get("X")
        assert [b"state=1" in transport.written[0], b"state=2" in transport.written[1]] == [True, True]
        assert not transport.aborted.is_set()


async def test_a_flood_before_its_turn_is_not_read(sqlite: Engine) -> None:
    async with site(sqlite) as here, deaf(here) as (visitor, transport):
        here.one.database.open.clear()
        visitor.data_received(plain())
        fed = 0
        while transport.reading:
            visitor.data_received(plain())
            fed += len(plain())
        assert fed < 70_000
        here.one.database.open.set()
        await here.get("X")
        assert transport.reading, "what was read goes on its way, and there is room again"


async def test_a_store_that_hangs_gets_a_page_in_time(sqlite: Engine) -> None:
    async with site(sqlite) as here, visit(here) as (reader, writer):
        here.one.database.open.clear()
        writer.write(plain())
        status, headers = await answer(reader)
        assert (status, headers["Retry-After"]) == (503, "30")
        assert headers.items() >= HEADERS.items()
        here.one.database.open.set()
        writer.write(plain())
        assert (await answer(reader))[0] == 303, "the connection goes on"


async def test_a_fault_of_ours_gets_a_page_and_no_words(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setattr("smsgw.web.verify.Verify.place", lambda *_: 1 / 0)
    async with site(sqlite) as here, visit(here) as (reader, writer):
        writer.write(plain("code=SECRET"))
        assert (await answer(reader))[0] == 500
    assert "web.failed" in log.getvalue()
    assert "SECRET" not in log.getvalue()


async def test_a_visit_whose_visitor_has_gone_is_decided_all_the_same(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        here.one.database.open.clear()
        async with visit(here) as (_, writer):
            writer.write(plain(f"code={code}"))
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        here.one.database.open.set()
        await here.get("X")  # behind it in the queue
        assert await here.one.rows("codes", "used") == [(1,)]


async def test_the_end_waits_for_visits_that_have_begun(sqlite: Engine) -> None:
    async with visit_at_the_end(sqlite) as (reader, idle):
        assert (await answer(reader))[0] == 303
        assert await reader.read() == b""
        assert await idle.read() == b""


@asynccontextmanager
async def visit_at_the_end(
    engine: Engine,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamReader]]:
    """A visit that is under way when the server stops, and a connection without any."""
    async with site(engine) as here:
        here.one.database.open.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(plain())
        await asyncio.sleep(0.1)
    async with asyncio.timeout(PATIENCE_S):
        yield reader, idle
    writer.close()
    idle_writer.close()


async def test_visitors_of_both_ways_count(sqlite: Engine) -> None:
    async with (
        site(sqlite, Web(port=0, max_connections=3)) as here,
        visit(here) as (one, short),
        visit(here) as (two, long),
        visit(here),
    ):
        short.write(plain())
        long.write(plain(more="Content-Length: 0\r\n"))
        await answer(one)
        await answer(two)
        async with visit(here) as (reader, writer):
            writer.write(plain())
            assert (await answer(reader))[0] == 503
