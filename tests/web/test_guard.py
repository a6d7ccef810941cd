"""What every answer has: headers that keep codes private, and for a fault a plain page that is silent on its cause."""

import io

import pytest

from smsgw.web.guard import HEADERS, PAGES
from tests.servers.engines import Engine
from tests.web.site import site

SECRETS = ("Traceback", "surprise", "aiohttp", "smsgw", "sqlite", "/work", ".py")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v/sun?code=X", 303),
        ("POST", "/v/sun", 303),
        ("GET", "/v/moon?code=X", 404),
        ("GET", "/", 404),
        ("GET", "/v", 404),
        ("GET", "/v/sun/more", 404),
        ("GET", "/static/", 403),
        ("GET", "/static/../server.py", 404),
        ("GET", "/static/%2e%2e/server.py", 404),
        ("GET", "/static/page.css", 200),
        ("GET", "/health", 200),
        ("HEAD", "/v/sun", 405),
        ("PUT", "/v/sun", 405),
        ("DELETE", "/v/sun", 405),
        ("OPTIONS", "/v/sun", 405),
        ("TRACE", "/v/sun", 405),
        ("POST", "/health", 405),
    ],
)
async def test_every_answer_keeps_codes_out_of_caches_and_referers(
    sqlite: Engine, method: str, path: str, status: int
) -> None:
    async with site(sqlite) as here:
        response = await here.ask(method, path)
        assert response.status == status
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(("status", "path"), [(404, "/v/moon"), (403, "/static/")])
async def test_a_fault_has_a_plain_page(sqlite: Engine, status: int, path: str) -> None:
    async with site(sqlite) as here:
        response = await here.ask("GET", path)
    text = response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    title, sentence = PAGES.get(status, PAGES[400])
    assert title.replace("'", "&#39;") in text
    assert sentence.replace("'", "&#39;") in text
    assert not any(secret in text for secret in SECRETS)


async def test_what_goes_wrong_inside_is_logged_and_not_shown(sqlite: Engine, log: io.StringIO) -> None:
    async with site(sqlite) as here:
        here.one.database.before = [RuntimeError("surprise")]
        response = await here.get("X")
    text = response.text
    assert response.status == 500
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert PAGES[500][0] in text
    assert not any(secret in text for secret in SECRETS)
    assert "web.failed" in log.getvalue()
    assert "surprise" in log.getvalue()


async def test_a_method_that_is_refused_is_told_which_are_not(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        assert (await here.ask("PUT", "/v/sun")).headers["Allow"] == "GET,POST"
        assert "Allow" not in (await here.ask("GET", "/v/moon")).headers


async def test_nothing_that_was_asked_is_in_the_page(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        for path in ("/v/<script>?code=<script>", "/<script>", "/v/%3Cscript%3E"):
            assert "<script>" not in (await here.ask("GET", path)).text
