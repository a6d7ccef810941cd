"""Operators' charging APIs over real HTTP: what every answer, and every way to give none, says about the money."""

import asyncio
import logging
import socket

import pytest
from aiohttp import web
from msgspec import structs

from smsgw.domain.charging import Said, Told
from smsgw.flows.ports import Back
from smsgw.hooks.charging import HttpCharger
from smsgw.kit.clock import ManualClock
from smsgw.simulator.subscribers import Pace
from tests.hooks.operator import DIALECTS, charger, order, said, simulated
from tests.hooks.server import server

dialects = pytest.mark.parametrize("adapter", DIALECTS)


# Against the simulated operator


@dialects
async def test_a_charge_is_made_once_and_found_again(adapter: str) -> None:
    async with simulated(adapter) as (one, billing, _):
        made = await one.charge(order())
        assert (said(made), made.operator_id, made.error) == (Said.CHARGED, "pm00000001", None)
        assert said(await one.charge(order())) is Said.CHARGED, "the operator knows a repeat by our reference"
        assert said(await one.ask(order())) is Said.CHARGED
        assert said(await one.ask(order(operator_id=made.operator_id))) is Said.CHARGED
        [entry] = billing.entries
        assert (entry.amount_minor, entry.currency, entry.reference) == (525, "EUR", "chg_1")


@dialects
@pytest.mark.parametrize(
    ("case", "first", "reason", "later"),
    [
        ("9100", Said.FAILED, "operator_refused", None),
        ("9101", Said.PUT_OFF, "operator_busy", None),
        ("9102", Said.UNKNOWN, None, Said.CHARGED),
        ("9107", Said.ACCEPTED, None, Said.FAILED),
        ("9108", Said.ACCEPTED, None, Said.CHARGED),
        ("9111", Said.ACCEPTED, None, Said.ACCEPTED),
        ("9116", Said.UNKNOWN, None, Said.CHARGED),
    ],
)
async def test_what_goes_wrong_at_the_operator(
    adapter: str, case: str, first: Said, reason: str | None, later: Said | None
) -> None:
    async with simulated(adapter, pace=Pace(pending_ms=20)) as (one, _, _):
        made = await one.charge(order(case))
        assert (made.told.said, made.told.reason) == (first, reason)
        await asyncio.sleep(0.1)
        if later is not None:
            assert said(await one.ask(order(case))) is later


@dialects
@pytest.mark.parametrize("case", ["9104", "9115"])
async def test_what_was_not_charged_is_missing_and_nothing_is_concluded_here(adapter: str, case: str) -> None:
    async with simulated(adapter) as (one, billing, _):
        assert said(await one.charge(order(case))) is Said.UNKNOWN
        asked = await one.ask(order(case))
        assert (said(asked), asked.missing) == (Said.UNKNOWN, True)
        assert billing.charges == ()


@dialects
async def test_an_answer_that_comes_too_late_is_none(adapter: str) -> None:
    async with simulated(adapter, timeout_s=0.2, pace=Pace(late_response_ms=60_000)) as (one, billing, _):
        made = await one.charge(order("9106"))
        assert (said(made), made.error) == (Said.UNKNOWN, "no answer in time")
        assert len(billing.charges) == 1
        assert said(await one.ask(order("9106"))) is Said.CHARGED


@dialects
@pytest.mark.parametrize("secret", ["user:pass word", "token-1"])
async def test_who_asks_is_told(adapter: str, secret: str) -> None:
    async with simulated(adapter, credentials=secret, secret=secret) as (one, _, _):
        assert said(await one.charge(order())) is Said.CHARGED


async def test_wrong_credentials_charge_nothing_and_may_be_mended() -> None:
    async with simulated("camara", credentials="a:b", secret="a:c") as (one, billing, _):
        made = await one.charge(order())
        assert (made.told, made.http_status) == (Told(Said.PUT_OFF, "operator_unavailable"), 401)
        assert billing.entries == ()


@dialects
async def test_money_goes_back_in_parts_once_for_each_reference(adapter: str) -> None:
    async with simulated(adapter) as (one, billing, _):
        await one.charge(order())
        part = Back(refund="rfd_1", order=order(), amount_minor=125)
        for _ in range(2):
            assert (await one.refund(part)).outcome == "done"
        assert [one.amount_minor for one in billing.refunds] == [125]
        more = await one.refund(Back(refund="rfd_2", order=order(), amount_minor=500))
        assert (more.outcome, more.http_status) == ("refused", 422)
        rest = Back(refund="rfd_3", order=order(), amount_minor=400)
        assert (await one.refund(rest)).outcome == "done"
        assert billing.refunded("pm00000001") == 525


@dialects
async def test_what_the_operator_does_not_give_back(adapter: str) -> None:
    async with simulated(adapter) as (one, _, _):
        await one.charge(order("9117"))
        assert (await one.refund(Back(refund="rfd_1", order=order("9117"), amount_minor=525))).outcome == "refused"


async def test_a_charge_that_the_operator_does_not_know_gives_nothing_back() -> None:
    async with simulated("camara") as (one, billing, _):
        assert (await one.refund(Back(refund="rfd_1", order=order(), amount_minor=525))).outcome == "unknown"
        assert billing.refunds == ()


@pytest.mark.parametrize(
    ("currency", "minor", "major"), [("EUR", 29, "0.29"), ("JPY", 500, "500"), ("KWD", 1234, "1.234")]
)
async def test_amounts_are_exact(currency: str, minor: int, major: str) -> None:
    bodies = []

    async def keep(request: web.Request) -> web.Response:
        bodies.append(await request.text())
        return web.Response(status=500)

    async with server(keep) as there, charger(f"http://127.0.0.1:{there.port}") as one:
        await one.charge(order(currency=currency, amount_minor=minor))
    assert f'"amount":{major},' in bodies[0]


# No answer


@dialects
async def test_nobody_listens_so_nothing_was_written(adapter: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with charger(f"http://127.0.0.1:{port}", adapter=adapter) as one:
        made = await one.charge(order())
        assert made.told == Told(Said.PUT_OFF, "operator_unavailable")
        assert said(await one.ask(order())) is Said.UNKNOWN
        assert (await one.refund(Back(refund="r", order=order(operator_id="1"), amount_minor=1))).outcome == "unknown"


async def test_who_does_not_speak_tls_gets_no_number() -> None:
    async with server() as there, charger(f"https://127.0.0.1:{there.port}") as one:
        assert said(await one.charge(order())) is Said.PUT_OFF
        assert there.requests == []


async def test_an_api_that_the_settings_do_not_have_any_more() -> None:
    one = HttpCharger({}, {}, ManualClock())
    assert said(await one.charge(order())) is Said.PUT_OFF
    assert said(await one.ask(order())) is Said.UNKNOWN
    assert (await one.refund(Back(refund="r", order=order(), amount_minor=1))).outcome == "unknown"


async def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"paymentId":"1","paymentStatus":"succeeded"')
    assert request.transport is not None
    request.transport.abort()
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1000):
        await response.write(b" ")
        await asyncio.sleep(0.02)
    return response


async def _flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"OK " * 10_000)


@dialects
@pytest.mark.parametrize("answer", [_hang_up, _half, _drip, _flood])
async def test_half_an_answer_is_none(adapter: str, answer: object) -> None:
    async with (
        server(answer) as there,  # type: ignore[arg-type]  # a table's
        charger(f"http://127.0.0.1:{there.port}", adapter=adapter, timeout_s=0.5) as one,
    ):
        made = await one.charge(order())
        assert (said(made), made.missing) == (Said.UNKNOWN, False)
        assert len(there.requests) == 1, "never a second one"


PAYMENT = (
    '{"paymentId":"p1","paymentStatus":"%s","amountTransaction":{"referenceCode":"%s","paymentAmount":'
    '{"chargingInformation":{"amount":%s,"currency":"EUR"}}}}'
)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, PAYMENT % ("succeeded", "chg_1", "5.25"), Said.CHARGED),
        (201, PAYMENT % ("succeeded", "chg_1", "5.250"), Said.CHARGED),
        (201, PAYMENT % ("succeeded", "chg_1", "5.26"), Said.UNKNOWN),
        (201, PAYMENT % ("succeeded", "chg_1", "1e400"), Said.UNKNOWN),
        (201, PAYMENT % ("succeeded", "chg_2", "5.25"), Said.UNKNOWN),
        (201, PAYMENT % ("reserved", "chg_1", "5.25"), Said.ACCEPTED),
        (201, PAYMENT % ("cancelled", "chg_1", "5.25"), Said.FAILED),
        (201, PAYMENT % ("whatever", "chg_1", "5.25"), Said.UNKNOWN),
        (201, '{"paymentId":"p1","paymentStatus":"succeeded"}', Said.CHARGED),
        (201, '{"paymentId":"\\u0007","paymentStatus":"succeeded"}', Said.UNKNOWN),
        (201, '{"paymentId":7,"paymentStatus":"succeeded"}', Said.UNKNOWN),
        (201, "", Said.UNKNOWN),
        (200, "[" * 5_000, Said.UNKNOWN),
        (200, "<html>fine</html>", Said.UNKNOWN),
        (302, PAYMENT % ("succeeded", "chg_1", "5.25"), Said.UNKNOWN),
        (403, '{"status":403,"code":"CARRIER_BILLING.PAYMENT_DENIED","message":"no"}', Said.FAILED),
        (403, "<html>a proxy says no</html>", Said.UNKNOWN),
        (403, '{"status":400,"code":"X"}', Said.UNKNOWN),
        (400, '{"status":400,"code":"INVALID_ARGUMENT","message":""}', Said.FAILED),
        (409, '{"status":409,"code":"ALREADY_EXISTS","message":""}', Said.UNKNOWN),
        (401, "who?", Said.UNKNOWN),
        (429, "", Said.PUT_OFF),
        (500, '{"status":500,"code":"INTERNAL","message":""}', Said.UNKNOWN),
        (503, "", Said.UNKNOWN),
        (504, "", Said.UNKNOWN),
    ],
)
async def test_what_camara_answers_mean(status: int, body: str, expected: Said) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "http://127.0.0.1:1/"})

    async with server(answer) as there, charger(f"http://127.0.0.1:{there.port}/v0/") as one:
        made = await one.charge(order())
        assert (said(made), made.http_status) == (expected, status)
        [(headers, _)] = there.requests
        assert headers["x-correlator"] == "chg_1"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "OK 77\n", Said.CHARGED),
        (200, "OK", Said.CHARGED),
        (200, "ok", Said.UNKNOWN),
        (200, "PENDING 77", Said.ACCEPTED),
        (200, "DECLINED no credit", Said.FAILED),
        (500, "DECLINED", Said.UNKNOWN),
        (400, "INVALID amount", Said.FAILED),
        (400, "<html>", Said.UNKNOWN),
        (409, "CONFLICT", Said.UNKNOWN),
        (429, "BUSY", Said.PUT_OFF),
        (200, "\xff\xfe", Said.UNKNOWN),
    ],
)
async def test_what_the_other_answers_mean(status: int, body: str, expected: Said) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body.encode("latin-1"))

    async with server(answer) as there, charger(f"http://127.0.0.1:{there.port}", adapter="example") as one:
        assert said(await one.charge(order())) is expected


@pytest.mark.parametrize(
    ("adapter", "status", "body", "missing"),
    [
        ("camara", 200, "[]", True),
        ("camara", 404, '{"status":404,"code":"NOT_FOUND","message":""}', False),  # no such list; not: no such payment
        ("camara", 404, "nginx", False),
        ("camara", 200, f"[{PAYMENT % ('succeeded', 'chg_2', '5.25')}]", False),
        ("camara", 200, "{}", False),
        ("example", 404, "UNKNOWN no such payment", True),
        ("example", 404, "nginx", False),
        ("example", 200, "UNKNOWN", False),
    ],
)
async def test_only_the_api_itself_can_say_that_there_is_none(
    adapter: str,
    status: int,
    body: str,
    missing: bool,  # noqa: FBT001 - a table's
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with server(answer) as there, charger(f"http://127.0.0.1:{there.port}", adapter=adapter) as one:
        asked = await one.ask(order())
        assert (said(asked), asked.missing) == (Said.UNKNOWN, missing)


async def test_of_several_under_one_reference_the_one_that_took_money_counts() -> None:
    body = f"[{PAYMENT % ('denied', 'chg_1', '5.25')},{PAYMENT % ('succeeded', 'chg_1', '5.25')}]"

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async with server(answer) as there, charger(f"http://127.0.0.1:{there.port}") as one:
        assert said(await one.ask(order())) is Said.CHARGED


async def test_an_operator_names_a_pause() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    async with server(answer) as there, charger(f"http://127.0.0.1:{there.port}") as one:
        assert (await one.charge(order())).told == Told(Said.PUT_OFF, "operator_busy", 7_000)


async def test_nothing_of_a_person_or_secret_in_logs_and_reprs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with simulated("example", credentials="u:geheim", secret="u:geheim") as (one, _, _):
        made = await one.charge(order())
        await one.ask(structs.replace(order(), operator_id=None))
        told = caplog.text + repr(made) + repr(order()) + repr(one)
    assert "geheim" not in told
    assert order().msisdn not in told
