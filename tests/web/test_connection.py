"""A connection: its waits have ends, its number has one too, and what the library answers by itself looks like ours."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from smsgw.settings import Web
from smsgw.web import connection, express
from smsgw.web.guard import HEADERS, PAGES
from tests.servers.engines import Engine
from tests.web.site import Site, site

ASK = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE_S = 20.0


@asynccontextmanager
async def visit(here: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield reader, writer
    finally:
        writer.close()


def headers_of(answer: bytes) -> dict[str, str]:
    head = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return dict(line.split(": ", maxsplit=1) for line in head)


# --- answers of the library -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v/sun?code=<SECRET> HTTP/9.x\r\nHost: x\r\n\r\n",
        b"G<SECRET>T /v/sun HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v/sun HTTP/1.1\r\nHost: x\r\n<SECRET>\r\n\r\n",
        b"GET /v/sun HTTP/1.1\r\nHost: x\r\nA\0<SECRET>: b\r\n\r\n",
        b"GET /v/sun HTTP/1.1\r\nHost: x\r\nContent-Length: <SECRET>\r\n\r\n",
        b"GET /v/sun HTTP/1.1\r\nHost: x\r\nX: " + b"<SECRET>" * 4_000 + b"\r\n\r\n",
        b"GET /v/sun?code=" + b"<SECRET>" * 4_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02<SECRET>\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_our_page_and_nothing_of_its_own(sqlite: Engine, request_: bytes) -> None:
    async with site(sqlite) as here:
        answer = await here.raw(request_)
    assert answer.split()[1] == b"400"
    assert headers_of(answer).items() >= {**HEADERS, "Content-Type": "text/html; charset=utf-8"}.items()
    assert PAGES[400][1].encode() in answer
    assert b"SECRET" not in answer
    assert b"aiohttp" not in answer.partition(b"\r\n\r\n")[2]


PROGRAMS = b"POST /v1/codes/redeem HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [PROGRAMS + b"Content-Encoding: br\r\nContent-Length: 8\r\n\r\n<SECRET>"],
        [PROGRAMS + b"Content-Encoding: zstd\r\nContent-Length: 8\r\n\r\n<SECRET>"],
        [PROGRAMS + b"Transfer-Encoding: chunked\r\n\r\n<SECRET>\r\n"],
        [PROGRAMS + b"Content-Length: <SECRET>\r\n\r\n"],
        [b"GET /v1/plain/sun?code=" + b"<SECRET>" * 4_000 + b" HTTP/1.1\r\n\r\n"],
        [b"GET http://pay.example/v1?<SECRET> HTTP/9.x\r\n\r\n"],
        [b"\r\nGET /v", b"1/codes HTTP/1.1\r\nHost: x\r\n<SECRET>\r\n\r\n"],
    ],
    ids=["br", "zstd", "chunk", "length", "long", "absolute", "pieces"],
)
async def test_what_cannot_be_read_is_a_problem_to_programs(sqlite: Engine, pieces: list[bytes]) -> None:
    async with site(sqlite) as here:
        answer = await here.raw(*pieces)
    assert answer.split()[1] == b"400"
    assert headers_of(answer).items() >= {**HEADERS, "Content-Type": "application/problem+json"}.items()
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert problem["request_id"] == headers_of(answer)["X-Request-Id"]
    assert b"SECRET" not in answer


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("/v1/openapi.json", "/v/sun", "text/html; charset=utf-8"),
        ("/health", "/v1/codes", "application/problem+json"),
        ("/health", "/v/sun", "text/html; charset=utf-8"),
    ],
)
async def test_each_request_of_a_connection_is_answered_in_its_own_kind(
    sqlite: Engine, first: str, second: str, kind: str
) -> None:
    async with site(sqlite) as here, visit(here) as (reader, writer):
        writer.write(f"GET {first} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        length = int(headers_of(await reader.readuntil(b"\r\n\r\n"))["Content-Length"])
        await reader.readexactly(length)
        writer.write(f"GET {second} HTTP/1.1\r\nnonsense\r\n\r\n".encode())
        assert headers_of(await reader.read())["Content-Type"] == kind


async def test_an_expectation_that_nobody_knows_gets_our_page_too(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        lines = b"POST /v/sun HTTP/1.1\r\nHost: x\r\nExpect: <SECRET>\r\nConnection: close\r\n\r\n"
        answer = await here.raw(lines)
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert headers_of(answer).items() >= HEADERS.items()
    assert PAGES[400][1].encode() in answer
    assert b"SECRET" not in answer


async def test_an_expectation_that_nobody_knows_is_a_problem_to_programs(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        lines = b"POST /v1/codes/redeem HTTP/1.1\r\nHost: x\r\nExpect: <SECRET>\r\nConnection: close\r\n\r\n"
        answer = await here.raw(lines)
    assert headers_of(answer).items() >= {**HEADERS, "Content-Type": "application/problem+json"}.items()
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert problem["request_id"] == headers_of(answer)["X-Request-Id"]
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"SECRET" not in answer


# --- waits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [b"", ASK], ids=["first", "next"])
async def test_a_request_that_comes_octet_by_octet_has_a_deadline(sqlite: Engine, before: bytes) -> None:
    async with (
        site(sqlite, Web(port=0, headers_timeout_s=0.3)) as here,
        visit(here) as (reader, writer),
        asyncio.TaskGroup() as group,
    ):
        if before:
            writer.write(before)
            await reader.readuntil(b"}")

        async def drip() -> None:
            for octet in b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000:
                writer.write(bytes((octet,)))
                await asyncio.sleep(0.02)

        dripping = group.create_task(drip())
        assert await reader.read() == b"", "it was never answered"
        assert not dripping.done()
        dripping.cancel()
        assert (await here.ask("GET", "/health")).status == 200


async def test_a_visitor_who_reads_nothing_is_cut_off(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READING_S", 0.2)
    async with site(sqlite) as here:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", here.port))

            async def ask_for_ever() -> None:
                while True:  # until nothing more fits into anybody's buffers
                    await loop.sock_sendall(deaf, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 100)

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(ask_for_ever(), PATIENCE_S)
        assert (await here.ask("GET", "/health")).status == 200


async def test_a_little_that_nobody_reads_holds_no_connection(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer octets than asyncio minds: closed with them, a connection is there until its visitor reads."""
    monkeypatch.setattr(connection, "READING_S", 0.2)
    monkeypatch.setattr(express, "READING_S", 0.2)
    async with site(sqlite, Web(port=0, headers_timeout_s=0.3, max_connections=1)) as here:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", here.port))
            async with asyncio.timeout(PATIENCE_S):
                last = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                assert (await here.raw(last)).split()[1] == b"503", "the deaf one is the only one"
                [visitor] = here.server._express.visitors
                visitor._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
                await loop.sock_sendall(deaf, b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n")
                while (await here.raw(last)).split()[1] == b"503":
                    pass


async def test_a_visitor_who_reads_late_gets_everything(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READING_S", PATIENCE_S)
    many = 5_000
    async with site(sqlite) as here, visit(here) as (reader, writer), asyncio.TaskGroup() as group:

        async def ask() -> None:
            writer.write(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * many)
            await writer.drain()

        group.create_task(ask())
        for _ in range(many):
            await reader.readuntil(b"</html>")


# --- how many -------------------------------------------------------------------------------------------------------


async def test_one_too_many_reads_why_although_nobody_reads_its_request(sqlite: Engine) -> None:
    """A socket that is closed with octets unread resets the connection, and what was written to it is lost."""
    async with site(sqlite, Web(port=0, max_connections=1)) as here, visit(here) as (reader, writer):
        writer.write(ASK)
        await reader.readuntil(b"}")
        loop, answer = asyncio.get_running_loop(), b""
        with socket.create_connection(("127.0.0.1", here.port)) as extra:
            extra.sendall(ASK)  # there before the server looks
            extra.setblocking(False)
            while more := await loop.sock_recv(extra, 65_536):
                answer += more
        assert answer.startswith(b"HTTP/1.1 503 ")


async def test_a_crowd_that_is_too_many_gets_no_time(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_LINGERING", 0)
    async with site(sqlite, Web(port=0, max_connections=1)) as here, visit(here) as (reader, writer):
        writer.write(ASK)
        await reader.readuntil(b"}")
        async with visit(here) as (late, _):
            assert (await late.read()).startswith(b"HTTP/1.1 503 ")


async def test_more_than_so_many_are_told_to_come_back(sqlite: Engine, log: io.StringIO) -> None:
    async with site(sqlite, Web(port=0, max_connections=2)) as here:
        async with visit(here) as first, visit(here) as second:
            for reader, writer in (first, second):
                writer.write(ASK)
                await reader.readuntil(b"}")
            answer = await here.raw()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert headers_of(answer).items() >= {**HEADERS, "Retry-After": "30", "Connection": "close"}.items()
            assert PAGES[503][1].replace("'", "&#39;").encode() in answer
            assert int(headers_of(answer)["Content-Length"]) == len(answer.partition(b"\r\n\r\n")[2])
            assert (await here.raw()).startswith(b"HTTP/1.1 503 ")
            assert log.getvalue().count("web.full") == 1, "each time that it becomes full"
            reader, writer = first
            writer.write(ASK)
            assert b"ok" in await reader.readuntil(b"}"), "those who are there are served"
        last = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):  # the server may not have seen yet that they have gone
            while (await here.raw(last)).split()[1] == b"503":
                pass
