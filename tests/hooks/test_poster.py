"""One try over real HTTP: signed, in time, to the right place; and what every kind of bad server comes to."""

import asyncio
import json
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from aiohttp import web
from msgspec import structs
from standardwebhooks import Webhook

from smsgw.flows.ports import Posted
from smsgw.flows.secrets import told
from tests.hooks.server import Answer, fine, poster, server

FORBIDDEN = "the address is not allowed: private, loopback or link-local"


def status(code: int) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=code, text="4" * 100)

    return answer


async def test_a_letter_arrives_as_the_merchant_s_library_wants_it() -> None:
    async with server() as one, poster() as way:
        letter = structs.replace(one.letter(), timestamp_s=int(time.time()), secrets=[b"new" * 11, b"old" * 11])
        assert await way.post(letter) == Posted(http_status=204, error=None)
        [(headers, body)] = one.requests
        assert headers["Content-Type"] == "application/json"
        assert body == letter.body
        for secret in letter.secrets:
            assert Webhook(told(secret)).verify(body, headers) == json.loads(letter.body)


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_what_counts_as_taken(code: int) -> None:
    async with server(status(code)) as one, poster() as way:
        assert await way.post(one.letter()) == Posted(http_status=code, error=None)


@pytest.mark.parametrize("code", [400, 401, 404, 410, 429, 500, 503])
async def test_what_does_not(code: int) -> None:
    async with server(status(code)) as one, poster() as way:
        assert await way.post(one.letter()) == Posted(http_status=code, error=f"HTTP status {code}")


@pytest.mark.parametrize(("code", "asked"), [(429, "120"), (503, "120"), (500, None), (200, None)])
async def test_who_is_busy_may_say_for_how_long(code: int, asked: str | None) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=code, headers={"Retry-After": "120"})

    async with server(busy) as one, poster() as way:
        assert (await way.post(one.letter())).retry_after == asked


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(code: int) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=code, headers={"Location": "/elsewhere"})

    async with server(away) as one, poster() as way:
        assert await way.post(one.letter()) == Posted(http_status=code, error="a redirect, which is not followed")
        assert len(one.requests) == 1


async def test_who_never_answers_is_left_at_the_deadline() -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with server(never) as one, poster(timeout_s=0.2) as way:
        began = time.monotonic()
        assert await way.post(one.letter()) == Posted(http_status=None, error="no answer in time")
        assert time.monotonic() - began < 3


async def test_headers_that_come_one_by_one_for_ever_are_no_answer() -> None:
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                writer.write(b"X-A: b\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (OSError, RuntimeError):  # uvloop's word for a connection that is closed
            writer.close()
        finally:
            ended.set()

    listener = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with poster(timeout_s=0.3) as way, server() as one:
        one.port = listener.sockets[0].getsockname()[1]
        posted = await way.post(one.letter())
        assert posted.http_status is None
        assert posted.error is not None
        await ended.wait()
    listener.close()


async def test_a_body_without_end_is_not_read_and_the_answer_counts() -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b"x" * 65_536)
            sent += 65_536
        return response

    async with server(flood) as one, poster() as way:
        assert await way.post(one.letter()) == Posted(http_status=200, error=None)
        assert sent < 50_000_000


async def test_a_body_that_never_comes_does_not_unmake_the_answer() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(60)
        return response

    async with server(hang) as one, poster(timeout_s=30) as way:
        began = time.monotonic()
        assert await way.post(one.letter()) == Posted(http_status=200, error=None)
        assert time.monotonic() - began < 4


async def test_a_connection_is_used_again() -> None:
    async with server(status(200)) as one, poster() as way:
        for _ in range(5):
            await way.post(one.letter())
        assert len(one.peers) == 1


async def test_what_is_not_http_and_who_hangs_up_are_failures() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-nonsense\r\n\r\n")
        writer.close()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    found = []
    for behave in (nonsense, hang_up):
        listener = await asyncio.start_server(behave, "127.0.0.1", 0)
        async with poster() as way, server() as one:
            one.port = listener.sockets[0].getsockname()[1]
            found.append((await way.post(one.letter())).error)
        listener.close()
    assert found == ["the answer is not HTTP", "the connection was closed without an answer"]


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with poster() as way, server() as one:
        one.port = port
        assert (await way.post(one.letter())).error == "nobody listens there, or nobody can be reached"


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as one, server() as proxy, poster() as way:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await way.post(one.letter())
        assert (len(one.requests), len(proxy.requests)) == (1, 0)


# --- places ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    async with server() as one, poster(private_networks=False) as way:
        posted = await way.post(one.letter(host=host))
        assert posted.http_status is None
        assert posted.error in {FORBIDDEN, "not an address"}
        assert one.requests == []


async def test_link_local_is_refused_whatever_is_allowed() -> None:
    async with server() as one, poster(private_networks=True) as way:
        for host in ("169.254.169.254", "[fe80::1]"):
            letter = structs.replace(one.letter(), url=f"http://{host}/latest/meta-data")
            assert (await way.post(letter)).error == FORBIDDEN


async def test_a_name_is_looked_up_for_each_connection_and_the_checked_address_is_the_one_used() -> None:
    answers: list[list[tuple[int, str]]] = [[(socket.AF_INET, "127.0.0.1")], [(socket.AF_INET, "169.254.169.254")], []]
    asked = []

    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        asked.append(host)
        return answers.pop(0)

    async def close(_: web.Request) -> web.Response:
        return web.Response(headers={"Connection": "close"})

    async with server(close) as one, poster(look_up=look_up) as way:
        found = [(await way.post(one.letter(host="sun.example"))).error for _ in range(3)]
        assert found == [None, FORBIDDEN, "the name cannot be resolved"]
        assert asked == ["sun.example"] * 3
        assert one.requests[0][0]["Host"] == f"sun.example:{one.port}"


async def test_of_several_addresses_only_the_good_ones_are_tried() -> None:
    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "169.254.169.254"), (socket.AF_INET, "127.0.0.1")]

    async with server(fine) as one, poster(look_up=look_up) as way:
        assert (await way.post(one.letter(host="sun.example"))).error is None


async def test_a_name_server_that_hangs_is_left_at_the_deadline() -> None:
    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        time.sleep(0.6)
        return []

    async with server() as one, poster(timeout_s=0.1, look_up=look_up) as way:
        assert (await way.post(one.letter(host="sun.example"))).error == "no answer in time"


async def test_a_name_server_that_hangs_takes_no_other_merchant_s_turn() -> None:
    answer = threading.Event()

    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        if host == "moon.example":
            answer.wait(20)
        return [(socket.AF_INET, "127.0.0.1")]

    async with server() as one, poster(timeout_s=10, look_up=look_up) as way:
        stuck = [asyncio.create_task(way.post(one.letter(host="moon.example"))) for _ in range(60)]
        await asyncio.sleep(0)
        began = time.monotonic()
        assert (await way.post(one.letter(host="sun.example"))).error is None
        assert time.monotonic() - began < 5
        stuck.pop().cancel()
        answer.set()
        assert {posted.error for posted in await asyncio.gather(*stuck)} == {None}, "one who left took nobody along"


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for sun.example that nobody has signed."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-keyout", str(key), "-out", str(cert), "-subj", "/CN=sun.example"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:sun.example"], check=True, capture_output=True)
    return key, cert


async def test_a_certificate_must_be_trusted_and_of_that_name(certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    trust = ssl.create_default_context(cafile=str(cert))

    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "127.0.0.1")]

    async with server(fine, context) as one:
        async with poster(look_up=look_up) as way:
            posted = await way.post(one.letter(host="sun.example", scheme="https"))
            assert posted.error == "TLS: the certificate is not trusted"
        async with poster(look_up=look_up, trust=trust) as way:
            assert (await way.post(one.letter(host="sun.example", scheme="https"))).error is None
            posted = await way.post(one.letter(host="moon.example", scheme="https"))
            assert posted.error == "TLS: the certificate is not trusted"
        assert len(one.requests) == 1


# Questions whose answer counts


async def says(_: web.Request) -> web.Response:
    return web.Response(text='{"allow":true}')


async def at_length(_: web.Request) -> web.Response:
    return web.Response(text="x" * 100_000)


async def never(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def slowly(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1_000):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def test_a_question_is_signed_and_its_answer_read() -> None:
    async with server(says) as one, poster() as way:
        letter = structs.replace(one.letter(), timestamp_s=int(time.time()), secrets=[b"new" * 11])
        heard = await way.consult(letter, 2.0)
        assert (heard.http_status, heard.body, heard.error) == (200, b'{"allow":true}', None)
        [(headers, body)] = one.requests
        assert Webhook(told(letter.secrets[0])).verify(body, headers) == json.loads(letter.body)


@pytest.mark.parametrize(
    ("answer", "http_status", "error"),
    [
        (at_length, 200, None),
        (never, None, "no answer in time"),
        (slowly, None, "no answer in time"),
        (status(500), 500, "HTTP status 500"),
        (status(302), 302, "a redirect, which is not followed"),
    ],
)
async def test_what_is_no_answer(answer: Answer, http_status: int | None, error: str | None) -> None:
    async with server(answer) as one, poster() as way:
        heard = await way.consult(one.letter(), 0.3)
        assert (heard.http_status, heard.error) == (http_status, error)
        assert len(heard.body) <= 100


async def test_nobody_inside_is_asked() -> None:
    async with server(says) as one, poster(private_networks=False) as way:
        assert (await way.consult(one.letter(), 2.0)).error == FORBIDDEN
        assert one.requests == []
