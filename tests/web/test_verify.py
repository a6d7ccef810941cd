"""The verify address: whatever a browser brings, it ends on one of the merchant's pages, or on a plain one of ours."""

import asyncio
import io

import pytest

from smsgw.domain.codes import Outcome
from smsgw.errors import StoreUnavailable
from smsgw.web.verify import target
from tests.flows.world import SECOND, SUN, changed
from tests.servers.engines import Engine
from tests.web.site import Site, site

IN, OVER, WHAT = "https://sun.example/in", "https://sun.example/over", "https://sun.example/what"


async def attempts(here: Site) -> list[str]:
    return [outcome for (outcome,) in await here.one.rows("attempts", "outcome")]


# --- outcomes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
async def test_each_outcome_has_its_page(engine: Engine, method: str) -> None:
    async with site(engine) as here:
        code = await here.code()
        bring = getattr(here, method)
        for _ in range(3):
            response = await bring(code)
            assert (response.status, response.place) == (303, IN)
        assert (await bring(code)).place == OVER, "used up"
        code = await here.code()
        here.one.clock.advance(3_600 * SECOND)
        assert (await bring(code)).place == OVER, "too late"
        response = await bring("NOTACODE")
        assert (response.status, response.place) == (303, WHAT)
        assert await attempts(here) == ["success"] * 3 + ["used_up", "expired", "invalid"]


def test_every_outcome_has_a_target() -> None:
    assert [target(SUN, outcome) for outcome in Outcome] == [IN, OVER, OVER, WHAT, WHAT]


async def test_the_visitor_s_address_is_recorded(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        await here.get("X")
        assert await here.one.rows("attempts", "visitor", "service", "code") == [("127.0.0.1", "sun", None)]


async def test_the_page_is_the_merchant_s_whatever_else_is_asked(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        query = {
            "code": code,
            "success_url": "https://evil.example",
            "state": "//evil.example",
            "service": "moon",
            "Location": "https://evil.example",
        }
        response = await here.ask("GET", "/v/sun", params=query, headers={"Host": "evil.example"})
        assert response.place == IN
        response = await here.ask("POST", "/v/sun", params={"code": "X"}, data=query | {"code": code})
        assert response.place == IN, "the form counts, not the address"


async def test_of_several_codes_the_first_counts(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        response = await here.ask("GET", f"/v/sun?code={code}&code=X")
        assert response.place == IN


@pytest.mark.parametrize(
    "path", ["/v/moon", "/v/SUN", "/v/sun%00", "/v/..%2fsun", "/v/%2e%2e", "/v/sun'--", "/v/\u202e"]
)
async def test_an_unknown_service_is_not_found(sqlite: Engine, path: str) -> None:
    async with site(sqlite) as here:
        for method in ("GET", "POST"):
            response = await here.ask(method, path)
            assert response.status == 404
            assert "Location" not in response.headers
        assert await attempts(here) == []


async def test_head_is_refused_as_a_link_checker_must_not_use_up_a_code(sqlite: Engine) -> None:
    services = {"sun": changed(SUN, uses=1)}
    async with site(sqlite, services=services) as here:
        code = await here.code()
        response = await here.ask("HEAD", f"/v/sun?code={code}")
        assert response.status == 405
        assert response.headers["Allow"] == "GET,POST"
        assert (await here.get(code)).place == IN


# --- hostile contents -----------------------------------------------------------------------------------------------

HOSTILE = {
    "nothing": "",
    "long": "A" * 10_000,
    "sql": "' or 1=1; drop table codes; --",
    "nul": "A\0B",
    "markup": "<script>alert(1)</script>",
    "template": "{{7*7}}",
    "line": "A\r\nSet-Cookie: a=b",
    "right to left": "\u202eABC",
    "emoji": "😀" * 100,
}


@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE.keys())
async def test_whatever_is_typed_is_only_not_valid(engine: Engine, typed: str) -> None:
    async with site(engine) as here:
        await here.code()
        for bring in (here.get, here.post):
            response = await bring(typed)
            assert (response.status, response.place) == (303, WHAT)
            assert "Set-Cookie" not in response.headers
        assert await attempts(here) == ["invalid"] * 2
        assert await here.one.count("codes") == 1


@pytest.mark.parametrize(
    "query", ["", "?", "?code", "?kode=X", "?code=%ff%fe%00", "?code=%", "?code=%zz", "?&&&;", "?CODE=X"]
)
async def test_a_query_that_is_none_is_no_code(sqlite: Engine, query: str) -> None:
    async with site(sqlite) as here:
        answer = await here.raw(f"GET /v/sun{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert WHAT.encode() in answer


@pytest.mark.parametrize(
    "body", [b"", b"code", b"code=%ff%fe", b"code=%00", b"&&&", b"=", b"code=%", b"a=" + b"x" * 16_000, b"code[]=X"]
)
async def test_a_form_without_a_code_is_no_code(sqlite: Engine, body: bytes) -> None:
    async with site(sqlite) as here:
        answer = await here.form(body)
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert WHAT.encode() in answer


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", "", "nonsense;;;"])
async def test_what_is_no_form_holds_no_code(sqlite: Engine, kind: str) -> None:
    async with site(sqlite) as here:
        answer = await here.form(b'{"code": "ABCD2345"}', kind)
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert WHAT.encode() in answer


async def test_a_multipart_form_is_a_form(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        body = f'--x\r\nContent-Disposition: form-data; name="code"\r\n\r\n{code}\r\n--x--\r\n'
        answer = await here.form(body.encode(), "multipart/form-data; boundary=x")
        assert IN.encode() in answer


async def test_a_file_is_no_code(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        body = f'--x\r\nContent-Disposition: form-data; name="code"; filename="a"\r\n\r\n{code}\r\n--x--\r\n'
        answer = await here.form(body.encode(), "multipart/form-data; boundary=x")
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert WHAT.encode() in answer


@pytest.mark.parametrize(
    ("body", "kind", "more"),
    [
        (b"code=\xff\xfe", "application/x-www-form-urlencoded", ()),
        (b"code=X", "application/x-www-form-urlencoded; charset=nonsense", ()),
        (b"code=X", "multipart/form-data", ()),
        (b"code=X", "multipart/form-data; boundary=x", ()),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nX\r\n--x--\r\n", "multipart/form-data; boundary=x", ()),
        (b"code=X", "application/x-www-form-urlencoded", ("Content-Encoding: gzip",)),
        (b"code=X", "application/x-www-form-urlencoded", ("Content-Encoding: deflate",)),
    ],
)
async def test_a_form_that_cannot_be_read_says_so(
    sqlite: Engine, log: io.StringIO, body: bytes, kind: str, more: tuple[str, ...]
) -> None:
    async with site(sqlite) as here:
        answer = await here.form(body, kind, *more)
        assert answer.split()[1] == b"400"
        assert await attempts(here) == []
    assert "web.failed" not in log.getvalue(), "it is the visitor's fault, not ours"


async def test_100_megabytes_are_refused_long_before_their_end(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        kind = "Content-Type: application/x-www-form-urlencoded"
        writer.write(f"POST /v/sun HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: 100000000\r\n\r\ncode=".encode())
        writer.write(b"x" * 100_000)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert (await here.get("X")).status == 303, "the others go on"


async def test_a_form_of_a_few_octets_that_unpacks_to_megabytes_is_refused(sqlite: Engine) -> None:
    import zlib

    async with site(sqlite) as here:
        packed = zlib.compress(b"code=" + b"A" * 50_000_000)
        assert len(packed) < 60_000
        answer = await here.form(packed, "application/x-www-form-urlencoded", "Content-Encoding: deflate")
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_form_that_never_ends_is_given_up(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        kind = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ncode="
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(b"POST /v/sun HTTP/1.1\r\nHost: x\r\n" + kind)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert await attempts(here) == []


async def test_a_visitor_who_goes_away_in_the_middle_is_nobody_s_fault(sqlite: Engine, log: io.StringIO) -> None:
    async with site(sqlite) as here:
        kind = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ncode=X"
        await here.raw(b"POST /v/sun HTTP/1.1\r\nHost: x\r\n" + kind, hang_up=True)
        assert (await here.get("X")).status == 303
        assert await attempts(here) == ["invalid"]
    assert "web.failed" not in log.getvalue()


# --- when the store does not work -----------------------------------------------------------------------------------


async def test_when_the_store_is_away_visitors_are_asked_to_come_back(engine: Engine) -> None:
    async with site(engine) as here:
        code = await here.code()
        here.one.database.before = [StoreUnavailable("locked"), StoreUnavailable("locked")]
        for bring in (here.get, here.post):
            response = await bring(code)
            assert (response.status, response.headers["Retry-After"]) == (503, "30")
            assert "Location" not in response.headers
            text = response.text
            assert "Yours is still good" in text
            assert "locked" not in text
            assert code not in text
        assert await attempts(here) == []
        assert (await here.get(code)).place == IN


async def test_when_the_store_does_not_answer_in_time_too(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        here.one.database.open.clear()
        response = await here.get(code)
        assert (response.status, response.headers["Retry-After"]) == (503, "30")
        here.one.clock.advance(SECOND)
        here.one.database.open.set()
        for expected in (IN, IN, IN, OVER):
            assert (await here.get(code)).place == expected, "the visit that was given up has used nothing"


async def test_too_many_visitors_are_asked_to_come_back(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from smsgw.flows.redeem import Verifier

    def full(*_: object) -> None:
        raise asyncio.QueueFull

    monkeypatch.setattr(Verifier, "begin", full)
    async with site(sqlite) as here:
        assert (await here.get("X")).status == 503
        assert (await here.post("X")).status == 503


# --- what is told ---------------------------------------------------------------------------------------------------


async def test_no_log_line_holds_a_code(sqlite: Engine, log: io.StringIO) -> None:
    async with site(sqlite) as here:
        code = await here.code()
        for bring in (here.get, here.post):
            await bring(code)
            await bring(f"{code}X")
        await here.ask("GET", f"/v/moon?code={code}")
        await here.ask("HEAD", f"/v/sun?code={code}")
        await here.ask("PUT", f"/v/{code}?code={code}", data={"code": code})
        here.one.database.before = [StoreUnavailable("locked"), RuntimeError("surprise")]
        assert [(await here.get(code)).status for _ in range(2)] == [503, 500]
        close = b"Host: x\r\nConnection: close\r\n"
        for line in (
            b"GET /v/sun?code=%b HTTP/9.x",
            b"G\0T /v/sun?code=%b HTTP/1.1",
            b"GET /v/sun?code=%b\xff HTTP/1.1",
        ):
            await here.raw(line % code.encode() + b"\r\n" + close + b"\r\n")
        await here.raw(b"GET /v/sun?code=" + code.encode() * 10_000 + b" HTTP/1.1\r\n" + close + b"\r\n")
        await here.raw(b"GET /v/sun HTTP/1.1\r\n" + close + b"X-Code: " + code.encode() * 10_000 + b"\r\n\r\n")
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
            await here.form(f"code={code}".encode(), kind)
        await here.form(f"code={code}".encode(), "application/x-www-form-urlencoded", "Content-Encoding: gzip")
    told = log.getvalue()
    assert "web.failed" in told, "the log is on"
    assert "web.unreadable" in told
    assert code not in told
    assert code.lower() not in told
