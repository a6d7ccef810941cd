"""Every fault under /v1 is a problem, whatever goes wrong and wherever."""

import io
import re
from pathlib import Path

import pytest

import smsgw.web.api
from smsgw.errors import StoreUnavailable
from smsgw.web.api.problem import PROBLEMS
from smsgw.web.guard import HEADERS
from tests.servers.engines import Engine
from tests.web.api.merchant import merchant, problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/codes/verify/more", 404, "not_found"),
        ("PUT", "/v1/codes/verify", 405, "method_not_allowed"),
        ("HEAD", "/v1/plain/sun", 405, "method_not_allowed"),
        ("DELETE", "/v1/codes", 405, "method_not_allowed"),
        ("TRACE", "/v1/openapi.json", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there(sqlite: Engine, method: str, path: str, status: int, code: str) -> None:
    async with merchant(sqlite) as here:
        answer = await here.ask(method, path)
        if method == "HEAD":
            assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
        else:
            assert problem(answer) == (status, code)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert ("Allow" in answer.headers) == (status == 405)


async def test_a_store_that_is_away_is_told_with_a_time_to_come_again(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        here.one.database.before = [StoreUnavailable("disk full")]
        answer = await here.redeem_raw("X")
        assert problem(answer) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "5"
        assert "disk" not in answer.text


async def test_a_mistake_of_ours_is_logged_and_not_shown(sqlite: Engine, log: io.StringIO) -> None:
    async with merchant(sqlite) as here:
        here.one.database.before = [RuntimeError("surprise")]
        answer = await here.redeem_raw("X")
        assert problem(answer) == (500, "internal")
        assert "surprise" not in answer.text
    assert "surprise" in log.getvalue()


async def test_a_body_of_a_hundred_megabytes_is_refused_at_once(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        head = [
            "POST /v1/codes/verify HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {here.token}",
            "Content-Type: application/json",
            f"Content-Length: {100 * 1024 * 1024}",
            "Connection: close",
        ]
        answer = await here.here.raw("\r\n".join([*head, "", ""]).encode() + b"x" * 100_000)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"application/problem+json" in answer
        assert b'"body_too_large"' in answer


async def test_a_body_that_never_comes_is_given_up(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        head = [
            "POST /v1/codes/verify HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {here.token}",
            "Content-Type: application/json",
            "Content-Length: 100",
            "Connection: close",
        ]
        answer = await here.here.raw("\r\n".join([*head, "", ""]).encode() + b"{")
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_another_kind_of_body_is_refused(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        answer = await here.ask("POST", "/v1/codes/verify", data={"service": "sun", "code": "X"})
        assert problem(answer) == (415, "media_type")


async def test_each_answer_has_an_id_to_ask_about(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        ids = {(await here.ask("GET", "/v1/openapi.json")).headers["X-Request-Id"] for _ in range(3)}
        assert len(ids) == 3
        assert all(re.fullmatch(r"req_[0-9a-z]{26}", one) for one in ids)


def test_every_problem_of_the_table_exists_and_no_other() -> None:
    source = "".join(file.read_text() for file in Path(smsgw.web.api.__path__[0]).parents[1].rglob("*.py"))
    raised = set(re.findall(r'(?:Fault|Refused)\(\s*"([a-z_]+)"', source)) | set(
        re.findall(r'\d{3}: "([a-z_]+)"', source)
    )
    assert raised - PROBLEMS.keys() == set()
    assert {code for code in PROBLEMS if f'"{code}"' not in source} == set()
