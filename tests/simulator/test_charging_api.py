"""The operator's charging API over real sockets: both dialects, one ledger, and every row of the table."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from smsgw.errors import StartError
from smsgw.simulator.billing import Billing
from smsgw.simulator.charging_api import ChargingApi, ChargingApiSettings
from smsgw.simulator.subscribers import MAGIC, Pace, Subscribers
from tests.simulator.virtual_loop import LoopClock, run

PACE = Pace(late_response_ms=60_000, pending_ms=2_000)
BROKEN = 0  # instead of an HTTP status: the connection breaks


def phone(case: str) -> str:
    return f"35988123{case}"


class Client:
    """A gateway that charges through the API."""

    def __init__(self, api: ChargingApi, billing: Billing, http: aiohttp.ClientSession) -> None:
        self.api = api
        self.billing = billing
        self._http = http

    async def ask(self, method: str, url: str, **more: Any) -> tuple[int, Any]:
        """Return status and body; JSON with exact numbers."""
        try:
            async with self._http.request(method, url, **more) as response:
                text = await response.text()
                if response.content_type == "application/json":
                    return response.status, json.loads(text, parse_float=Decimal)
                return response.status, text
        except aiohttp.ClientConnectionError:
            return BROKEN, None

    async def pay(self, case: str, reference: str = "r1", amount: object = 5, **more: Any) -> tuple[int, Any]:
        """Ask in CAMARA's shape; ``more`` changes the amountTransaction."""
        charging = {"amount": amount, "currency": "EUR", "description": "500 gold"}
        transaction = {
            "phoneNumber": f"+{phone(case)}",
            "referenceCode": reference,
            "clientCorrelator": f"c-{reference}",
            "paymentAmount": {"chargingInformation": charging},
        } | more
        body = {"amountTransaction": {name: value for name, value in transaction.items() if value is not None}}
        return await self.ask("POST", f"{self.api.camara_url}/payments", json=body)

    async def find(self, reference: str = "r1") -> list[str]:
        """Return the statuses of the payments with this reference."""
        code, found = await self.ask("GET", f"{self.api.camara_url}/payments", params={"referenceCode": reference})
        assert code == 200
        return [one["paymentStatus"] for one in found]

    async def charge(self, case: str, reference: str = "r1", **more: str) -> tuple[int, str]:
        """Ask in the other dialect."""
        form = {"msisdn": phone(case), "amount": "500", "currency": "EUR", "ref": reference} | more
        return await self.ask("POST", f"{self.api.example_url}/charge", data=form)

    async def status(self, reference: str = "r1") -> tuple[int, str]:
        return await self.ask("GET", f"{self.api.example_url}/status", params={"ref": reference})

    @property
    def ledger(self) -> list[tuple[str, str]]:
        return [(one.reference, one.status) for one in self.billing.entries]


@asynccontextmanager
async def operator(settings: ChargingApiSettings | None = None, pace: Pace = PACE) -> AsyncIterator[Client]:
    """An operator with an API, and a gateway that knows its address."""
    billing = Billing()
    api = ChargingApi(billing, Subscribers(pace), settings, clock=LoopClock())
    await api.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Client(api, billing, http)
        await asyncio.sleep(0.1)
    finally:
        await api.stop()


# CAMARA's shape


def test_a_payment_is_created_told_and_found_again() -> None:
    async def test() -> None:
        async with operator() as one:
            code, made = await one.pay("9000", amount=5.25)
            assert (code, made["paymentStatus"]) == (201, "succeeded")
            told = made["amountTransaction"]
            assert told["phoneNumber"] == f"+{phone('9000')}"
            assert (told["referenceCode"], told["clientCorrelator"]) == ("r1", "c-r1")
            charging = told["paymentAmount"]["chargingInformation"]
            assert charging == {"amount": Decimal("5.25"), "currency": "EUR", "description": "500 gold"}
            assert made["paymentDate"].startswith("2023-11-14T")
            found = await one.ask("GET", f"{one.api.camara_url}/payments/{made['paymentId']}")
            assert found == (200, made)
            assert await one.find() == ["succeeded"]
            [entry] = one.billing.charges_of(phone("9000"))
            assert (entry.amount_minor, entry.currency, entry.way, entry.text) == (525, "EUR", "direct", "500 gold")
            assert (entry.reference, entry.operator_id, entry.message_id) == ("r1", *[made["paymentId"]] * 2)

    run(test())


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [(5, "EUR", 500), (5.25, "EUR", 525), (0.29, "EUR", 29), (500, "JPY", 500), (1.234, "KWD", 1234)],
)
def test_amounts_are_exact_in_every_currency(amount: float, currency: str, minor: int) -> None:
    async def test() -> None:
        async with operator() as one:
            charging = {"amount": amount, "currency": currency, "description": "gold"}
            code, made = await one.pay("9000", paymentAmount={"chargingInformation": charging})
            assert code == 201
            assert one.billing.total() == {currency: minor}
            told = made["amountTransaction"]["paymentAmount"]["chargingInformation"]["amount"]
            assert Decimal(told) == Decimal(str(amount))

    run(test())


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 1.001},
        {"amount": "5"},
        {"amount": True},
        {"referenceCode": None},
        {"referenceCode": ""},
        {"phoneNumber": None},
        {"phoneNumber": "+35988x"},
        {"paymentAmount": {}},
        {"paymentAmount": {"chargingInformation": {"amount": 1, "currency": "euro", "description": "d"}}},
        {"paymentAmount": {"chargingInformation": {"amount": 1, "currency": "EUR"}}},
    ],
)
def test_what_cannot_be_read_is_refused_and_costs_nothing(wrong: dict[str, Any]) -> None:
    async def test() -> None:
        async with operator() as one:
            code, problem = await one.pay("9000", **wrong)
            assert (code, problem["status"], problem["code"]) == (400, 400, "INVALID_ARGUMENT")
            assert one.ledger == []

    run(test())


def test_the_numbers_of_camaras_predecessors_are_read_too() -> None:
    async def test() -> None:
        async with operator() as one:
            code, _ = await one.pay("9000", phoneNumber=None, endUserId=f"tel:+{phone('9000')}")
            assert code == 201
            assert len(one.billing.charges_of(phone("9000"))) == 1

    run(test())


@pytest.mark.parametrize("body", ["", "[]", "{", '{"amountTransaction": 1}'])
def test_what_is_not_an_object_is_refused(body: str) -> None:
    async def test() -> None:
        async with operator() as one:
            code, _ = await one.ask("POST", f"{one.api.camara_url}/payments", data=body)
            assert code == 400

    run(test())


def test_the_same_reference_or_correlator_never_charges_twice() -> None:
    async def test() -> None:
        async with operator() as one:
            first = await one.pay("9000")
            assert await one.pay("9000") == first
            assert await one.pay("9000", clientCorrelator="another") == first
            code, problem = await one.pay("9000", amount=6)
            assert (code, problem["code"]) == (409, "ALREADY_EXISTS")
            code, _ = await one.pay("9000", "r2", clientCorrelator="c-r1")
            assert code == 409
            code, _ = await one.pay("9001")
            assert code == 409
            assert one.ledger == [("r1", "charged")]
            code, _ = await one.pay("9000", "r2")
            assert code == 201
            assert one.ledger == [("r1", "charged"), ("r2", "charged")]

    run(test())


def test_x_correlator_stands_in_for_a_client_correlator_and_comes_back() -> None:
    async def test() -> None:
        async with operator() as one, aiohttp.ClientSession(headers={"x-correlator": "x1"}) as http:
            traced = Client(one.api, one.billing, http)
            assert (await traced.pay("9000", clientCorrelator=None))[0] == 201
            assert (await traced.pay("9000", "r2", clientCorrelator=None))[0] == 409
            assert one.ledger == [("r1", "charged")]
            async with http.get(f"{one.api.camara_url}/payments/none") as response:
                assert (response.status, response.headers["x-correlator"]) == (404, "x1")

    run(test())


def test_an_operator_that_answers_409_to_a_repetition_does_not_charge_either() -> None:
    async def test() -> None:
        async with operator(ChargingApiSettings(repeats="conflict")) as one:
            assert (await one.pay("9000"))[0] == 201
            code, problem = await one.pay("9000")
            assert (code, problem["code"]) == (409, "ALREADY_EXISTS")
            assert await one.find() == ["succeeded"]
            assert len(one.ledger) == 1

    run(test())


@pytest.mark.parametrize(
    ("credentials", "authorization", "code"),
    [
        ("shop:secret", f"Basic {base64.b64encode(b'shop:secret').decode()}", 201),
        ("shop:secret", f"Basic {base64.b64encode(b'shop:wrong').decode()}", 401),
        ("shop:secret", "", 401),
        ("t0ken", "Bearer t0ken", 201),
        ("t0ken", "Bearer other", 401),
    ],
)
def test_who_asks_is_checked(credentials: str, authorization: str, code: int) -> None:
    async def test() -> None:
        async with (
            operator(ChargingApiSettings(credentials=credentials)) as one,
            aiohttp.ClientSession(headers={"Authorization": authorization}) as http,
        ):
            assert (await Client(one.api, one.billing, http).pay("9000"))[0] == code
            assert len(one.ledger) == int(code == 201)

    run(test())


# The other dialect


def test_a_form_is_answered_with_a_line() -> None:
    async def test() -> None:
        async with operator() as one:
            assert await one.charge("9000", text="500 gold") == (200, "OK pm00000001")
            assert await one.charge("9000") == (200, "OK pm00000001")
            assert await one.status() == (200, "OK pm00000001")
            assert await one.status("r2") == (404, "UNKNOWN no such payment")
            assert (await one.charge("9000", amount="600"))[0] == 409
            assert await one.find() == ["succeeded"]  # one ledger, two dialects
            assert one.ledger == [("r1", "charged")]
            assert one.billing.total() == {"EUR": 500}

    run(test())


@pytest.mark.parametrize(
    "wrong", [{"amount": "5.00"}, {"amount": "0"}, {"ref": ""}, {"currency": "lv"}, {"msisdn": ""}]
)
def test_a_form_that_cannot_be_read_costs_nothing(wrong: dict[str, str]) -> None:
    async def test() -> None:
        async with operator() as one:
            code, line = await one.charge("9000", **wrong)
            assert (code, line.split()[0]) == (400, "INVALID")
            assert one.ledger == []

    run(test())


# What goes wrong: for each row the first answer, what can be found then, and the ledger, both again after a minute

FARES = [
    ("9000", 201, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9100", 403, ([], "failed"), ([], "failed")),
    ("9101", 429, ([], ""), ([], "")),
    ("9102", BROKEN, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9103", BROKEN, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9104", BROKEN, ([], ""), ([], "")),
    ("9105", BROKEN, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9107", 201, (["processing"], ""), (["denied"], "failed")),
    ("9108", 201, (["processing"], ""), (["succeeded"], "charged")),
    ("9109", 201, (["processing"], ""), (["succeeded"], "charged")),
    ("9110", 201, (["processing"], "charged"), (["processing"], "charged")),
    ("9111", 201, (["processing"], ""), (["processing"], "")),
    ("9112", 201, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9113", 201, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9114", 201, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9115", 500, ([], ""), ([], "")),
    ("9116", 500, (["succeeded"], "charged"), (["succeeded"], "charged")),
    ("9117", 201, (["succeeded"], "charged"), (["succeeded"], "charged")),
]


@pytest.mark.parametrize(("case", "code", "soon", "later"), FARES)
def test_a_payment_fares_as_the_number_says(
    case: str, code: int, soon: tuple[list[str], str], later: tuple[list[str], str]
) -> None:
    async def test() -> None:
        async with operator() as one:
            assert (await one.pay(case))[0] == code
            for found, line in (soon, later):
                assert await one.find() == found
                assert one.ledger == [("r1", line)] * bool(line)
                await asyncio.sleep(60)

    run(test())


def test_every_charge_of_the_table_has_a_case_here() -> None:
    assert {row[0] for row in FARES} | {"9106"} == {case for case in MAGIC if case.startswith("91")} | {"9000"}


@pytest.mark.parametrize(
    ("case", "code", "word", "later"),
    [
        ("9100", 200, "DECLINED", "UNKNOWN"),
        ("9101", 429, "BUSY", "UNKNOWN"),
        ("9107", 200, "PENDING", "DECLINED"),
        ("9108", 200, "PENDING", "OK"),
        ("9111", 200, "PENDING", "PENDING"),
        ("9115", 500, "ERROR", "UNKNOWN"),
        ("9116", 500, "ERROR", "OK"),
    ],
)
def test_the_other_dialect_has_the_same_fates(case: str, code: int, word: str, later: str) -> None:
    async def test() -> None:
        async with operator() as one:
            status, line = await one.charge(case)
            assert (status, line.split()[0]) == (code, word)
            await asyncio.sleep(60)
            assert (await one.status())[1].split()[0] == later

    run(test())


@pytest.mark.parametrize("case", ["9102", "9104"])
def test_the_other_dialect_breaks_connections_too(case: str) -> None:
    async def test() -> None:
        async with operator() as one:
            assert (await one.charge(case))[0] == BROKEN
            assert len(one.ledger) == (1 if case == "9102" else 0)

    run(test())


@pytest.mark.parametrize("case", ["9102", "9116"])
def test_a_retry_after_a_lost_answer_gets_it_and_is_not_charged_again(case: str) -> None:
    async def test() -> None:
        async with operator() as one:
            assert (await one.pay(case))[0] in {BROKEN, 500}
            code, told = await one.pay(case)
            assert (code, told["paymentStatus"]) == (201, "succeeded")
            assert one.ledger == [("r1", "charged")]

    run(test())


def test_a_gateway_that_asks_again_under_another_reference_charges_twice_and_the_ledger_shows_it() -> None:
    async def test() -> None:
        async with operator() as one:
            await one.pay("9102", "r1")
            await one.pay("9102", "r2")
            assert [entry.reference for entry in one.billing.charges_of(phone("9102"))] == ["r1", "r2"]

    run(test())


@pytest.mark.parametrize(("case", "refusals"), [("9101", [429, 429]), ("9115", [500])])
def test_after_its_refusals_a_payment_is_taken(case: str, refusals: list[int]) -> None:
    async def test() -> None:
        async with operator() as one:
            codes = [(await one.pay(case))[0] for _ in range(len(refusals) + 2)]
            assert codes == [*refusals, 201, 201]
            assert one.ledger == [("r1", "charged")]

    run(test())


def test_a_late_answer_comes_when_the_gateway_has_given_up_and_the_money_is_gone_long_before() -> None:
    async def test() -> None:
        async with operator() as one:
            asked = asyncio.ensure_future(one.pay("9106"))
            await asyncio.sleep(30)
            assert not asked.done()
            assert one.ledger == [("r1", "charged")]
            assert (await asked)[0] == 201
            assert LoopClock().now_ms() - one.billing.entries[0].at_ms == pytest.approx(60_000, abs=50)

    run(test())


def test_every_answer_takes_its_time() -> None:
    async def test() -> None:
        async with operator(pace=Pace(response_ms=700)) as one:
            began = LoopClock().monotonic_ms()
            assert (await one.pay("9000"))[0] == 201
            assert LoopClock().monotonic_ms() - began == pytest.approx(700, abs=20)

    run(test())


def test_who_hangs_up_before_the_answer_has_asked_all_the_same() -> None:
    async def test() -> None:
        async with operator(pace=Pace(response_ms=700)) as one:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await one.pay("9000")
            assert one.ledger == []
            await asyncio.sleep(0.5)
            assert one.ledger == [("r1", "charged")]

    run(test())


# Refunds


def back(amount: float, reference: str) -> dict[str, Any]:
    charging = {"amount": amount, "currency": "EUR", "description": "sorry"}
    transaction = {"referenceCode": reference, "refundAmount": {"chargingInformation": charging}}
    return {"type": "partial", "amountTransaction": transaction}


def test_money_goes_back_in_parts_once_for_each_reference_and_never_more_than_there_was() -> None:
    async def test() -> None:
        async with operator() as one:
            _, made = await one.pay("9000")
            url = f"{one.api.camara_url}/payments/{made['paymentId']}/refund"
            code, told = await one.ask("POST", url, json=back(2, "b1"))
            assert (code, told["refundStatus"], told["type"]) == (201, "succeeded", "partial")
            assert await one.ask("POST", url, json=back(2, "b1")) == (201, told)
            assert (await one.ask("POST", url, json=back(3, "b1")))[0] == 409
            assert (await one.ask("POST", url, json=back(3.01, "b2")))[0] == 422
            assert one.billing.refunded(made["paymentId"]) == 200
            rest = {"type": "total", "amountTransaction": {"referenceCode": "b3", "refundAmount": {}}}
            assert (await one.ask("POST", f"{url}s", json=rest))[0] == 201
            assert (await one.ask("POST", url, json=back(0.01, "b4")))[0] == 422
            assert [refund.amount_minor for refund in one.billing.refunds] == [200, 300]
            assert one.billing.total() == {"EUR": 500}

    run(test())


@pytest.mark.parametrize("case", ["9107", "9110", "9111", "9117"])
def test_what_was_not_taken_or_is_not_given_back_stays(case: str) -> None:
    async def test() -> None:
        async with operator() as one:
            _, made = await one.pay(case)
            url = f"{one.api.camara_url}/payments/{made['paymentId']}/refund"
            assert (await one.ask("POST", url, json={"type": "total"}))[0] == 422
            assert (await one.ask("POST", url, json=back(1, "b1")))[0] == 422
            assert (await one.ask("POST", url.replace("pm", "no"), json={"type": "total"}))[0] == 404
            assert one.billing.refunds == ()

    run(test())


def test_another_currency_does_not_go_back() -> None:
    async def test() -> None:
        async with operator() as one:
            _, made = await one.pay("9000")
            wrong = back(1, "b1")
            wrong["amountTransaction"]["refundAmount"]["chargingInformation"]["currency"] = "USD"
            url = f"{one.api.camara_url}/payments/{made['paymentId']}/refund"
            assert (await one.ask("POST", url, json=wrong))[0] == 400

    run(test())


def test_the_other_dialect_gives_back_too() -> None:
    async def test() -> None:
        async with operator() as one:
            await one.charge("9000")
            url = f"{one.api.example_url}/refund"
            part = {"ref": "r1", "amount": "200", "refund": "b1"}
            assert await one.ask("POST", url, data=part) == (200, "OK pm00000001 200")
            assert await one.ask("POST", url, data=part) == (200, "OK pm00000001 200")
            assert await one.ask("POST", url, data={"ref": "r1"}) == (200, "OK pm00000001 300")
            code, line = await one.ask("POST", url, data={"ref": "r1"})
            assert (code, line.split()[0]) == (422, "DECLINED")
            assert (await one.ask("POST", url, data={"ref": "r2"}))[0] == 404
            assert one.billing.refunded("pm00000001") == 500

    run(test())


# Its life


def test_a_port_that_is_taken_is_told() -> None:
    async def test() -> None:
        async with operator() as one:
            port = int(one.api.camara_url.split(":")[2].split("/")[0])
            other = ChargingApi(Billing(), settings=ChargingApiSettings(port=port))
            with pytest.raises(StartError, match="charging api: cannot listen"):
                await other.start()

    run(test())


def test_after_its_end_nothing_is_taken_and_it_starts_again_with_what_it_knows() -> None:
    async def test() -> None:
        async with operator() as one:
            await one.pay("9108")
            await one.api.stop()
            assert (await one.pay("9000", "r2"))[0] == BROKEN
            await asyncio.sleep(60)
            assert one.ledger == []
            await one.api.start()
            assert await one.find() == ["processing"]
            assert one.api.requests[("POST", "/camara/payments")] == 1

    run(test())
