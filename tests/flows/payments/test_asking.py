"""New payments: who may be asked, where the question comes from, and that a request counts once."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from smsgw.errors import IdempotencyMismatch
from smsgw.flows import idempotency
from smsgw.flows.amend import Refused
from smsgw.settings import LinkSettings, MerchantSettings, Payments as Limits
from tests.flows.payments.market import GOLD, LINKS, MO_PHONE, OTHER, Market, market
from tests.servers.engines import Engine


async def refused(one: Market, *args: Any, **fields: Any) -> str:
    """Return why a payment may not be made."""
    with pytest.raises(Refused) as told:
        await one.ask(*args, **fields)
    return told.value.reason


async def test_the_question_says_what_how_much_from_whom_and_what_to_answer(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        await one.ask(language="bg")
        text = one.last_text()
        for words in ("250 злато", "2.50 EUR", "Gold", "ДА"):
            assert words in text


async def test_a_product_without_a_title_in_the_buyers_language_is_asked_about_in_the_merchants(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        await one.ask("gold-500", language="uk")
        assert "YES" in one.answers()[-1]


async def test_price_currency_and_operator_are_those_of_the_phone(engine: Engine) -> None:
    async with market(engine) as one:
        bulgarian, ukrainian = await one.ask(), await one.ask(msisdn=MO_PHONE)
        assert (bulgarian.amount_minor, bulgarian.currency, bulgarian.operator) == (250, "EUR", "north")
        assert (ukrainian.amount_minor, ukrainian.currency, ukrainian.operator) == (2500, "UAH", "south")
        assert ukrainian.msisdn == "38067…67"


async def test_what_is_refused_before_any_sms(engine: Engine) -> None:
    async with market(engine) as one:
        assert await refused(one, msisdn="4915112345678") == "operator_unknown"
        assert await refused(one, "gold-500", MO_PHONE) == "operator_not_supported"
        assert await refused(one, "silver") == "product_unknown"
        assert await refused(one, merchant="nobody") == "merchant_gone"
        assert await refused(one, test=True) == "operator_unknown"  # there is no simulated one
        assert one.sent == []
        assert await one.rows("payments", "id") == []


async def test_a_ported_number_is_charged_where_it_is_now(engine: Engine) -> None:
    async with market(engine) as one:
        async with one.database.write() as transaction:
            await transaction.script(f"insert into ported (msisdn, link) values ('{MO_PHONE}', 'north')")
        assert (await one.ask(msisdn=MO_PHONE)).operator == "north"


async def test_one_open_question_for_a_phone_and_reply_address(engine: Engine) -> None:
    async with market(engine) as one:
        first = await one.ask()
        assert await refused(one, "gold-500") == "confirmation_open"
        await one.accept()
        assert await refused(one, "gold-500") == "confirmation_open"
        assert (await one.ask(msisdn=OTHER)).status == "created"
        await one.payments.cancel(first.id, one.everybody, "test")
        assert (await one.ask("gold-500")).status == "created"


async def test_a_hundred_creates_at_once_are_one_open_question(engine: Engine) -> None:
    async with market(engine, limits=Limits(prompts_per_number=1_000)) as one:
        asked = [one.payments.ask(one.order(), 60.0) for _ in range(100)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert {result.reason for result in results if isinstance(result, Refused)} == {"confirmation_open"}
        assert len(one.sent) == 1


async def test_a_hundred_creates_on_two_nodes_are_one_open_question(postgres: Engine) -> None:
    limits = Limits(prompts_per_number=1_000)
    async with market(postgres, limits=limits) as left, market(postgres, node="right", seed=9, limits=limits) as right:
        right.made = 1_000
        asked = [one.payments.ask(one.order(), 60.0) for _ in range(50) for one in (left, right)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        made = [result for result in results if not isinstance(result, BaseException)]
        assert len(made) == 1, results
        assert {result.reason for result in results if isinstance(result, Refused)} == {"confirmation_open"}
        assert len(left.sent) + len(right.sent) == 1


async def test_a_merchants_own_name_is_unique_for_ever(engine: Engine) -> None:
    async with market(engine) as one:
        first = await one.ask(merchant_reference="basket")
        await one.payments.cancel(first.id, one.everybody, "test")
        one.clock.advance(400 * 86_400_000)
        assert await refused(one, msisdn=OTHER, merchant_reference="basket") == "reference_used"


# Requests that come again


def once(key: str, request: str = "a") -> Any:
    return idempotency.asked("gold", test=False, key=key, request=request)


async def test_the_same_request_is_the_same_payment(engine: Engine) -> None:
    async with market(engine) as one:
        wanted = one.order(idempotency=once("k1"))
        first = await one.payments.ask(wanted, 60.0)
        await one.accept()
        second = await one.payments.ask(wanted, 60.0)
        assert (first.repeated, second.repeated) == (False, True)
        assert second.payment == first.payment  # as it was answered then
        with pytest.raises(IdempotencyMismatch):
            await one.payments.ask(one.order(idempotency=once("k1", "b")), 60.0)
        assert len(await one.rows("payments", "id")) == 1


async def test_the_same_request_twice_in_one_transaction(engine: Engine) -> None:
    async with market(engine) as one:
        wanted = one.order(idempotency=once("k1"))
        results = await asyncio.gather(*(one.payments.ask(wanted, 60.0) for _ in range(10)))
        assert {result.payment.id for result in results} == {results[0].payment.id}
        assert sorted(result.repeated for result in results) == [False] + [True] * 9


async def test_a_refused_request_may_come_again(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        open_one = await one.ask()
        wanted = one.order("gold-500", idempotency=once("k1"))
        with pytest.raises(Refused):
            await one.payments.ask(wanted, 60.0)
        await one.payments.cancel(open_one.id, one.everybody, "test")
        assert not (await one.payments.ask(wanted, 60.0)).repeated


# Limits


async def test_a_phone_is_not_asked_again_and_again(engine: Engine) -> None:
    async with market(engine, limits=Limits(prompts_per_number=2)) as one:
        for _ in range(2):
            payment = await one.prompted()
            await one.payments.cancel(payment.id, one.everybody, "test")
        with pytest.raises(Refused) as told:
            await one.ask()
        assert told.value.reason == "too_many_prompts"
        assert 0 < told.value.wait_ms <= 3_600_000
        one.clock.advance(told.value.wait_ms)
        assert (await one.ask()).status == "created"


async def test_questions_that_are_answered_do_not_count(engine: Engine) -> None:
    async with market(engine, limits=Limits(prompts_per_number=1)) as one:
        for _ in range(3):
            await one.prompted("gold-500")
            one.clock.advance(5_000)
            await one.say("YES")
            await one.accept()
        assert len(await one.rows("payments", "id")) == 3


async def test_pumping_a_range_of_numbers_is_stopped(engine: Engine) -> None:
    async with market(engine, limits=Limits(prompts_per_range=10)) as one:
        made = [await one.ask(msisdn=f"359881234{number:03}") for number in range(10)]
        assert len(made) == 10
        assert await refused(one, msisdn="359881234999") == "too_many_prompts"
        assert (await one.ask(msisdn="359881235000")).status == "created"


async def test_a_range_is_limited_within_one_transaction_too(sqlite: Engine) -> None:
    async with market(sqlite, limits=Limits(prompts_per_range=10)) as one:
        asked = [one.payments.ask(one.order(msisdn=f"359881234{number:03}"), 60.0) for number in range(50)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 10


async def test_a_phone_that_never_answered_waits_before_it_is_asked_again(sqlite: Engine) -> None:
    async with market(sqlite, limits=Limits(first_seen_s=60)) as one:
        payment = await one.prompted()
        await one.payments.cancel(payment.id, one.everybody, "test")
        assert await refused(one) == "too_many_prompts"
        one.clock.advance(61_000)
        await one.prompted("gold-500")
        one.clock.advance(5_000)
        await one.say("YES")
        await one.accept()
        assert (await one.ask()).status == "created"


async def test_blocked_and_allowed_numbers(engine: Engine) -> None:
    limits = Limits(blocked=["+35988123"], allowed=["35987"], prompts_per_number=1)
    async with market(engine, limits=limits) as one:
        assert await refused(one) == "number_blocked"
        for _ in range(3):
            payment = await one.ask(msisdn="359871234567")
            await one.payments.cancel(payment.id, one.everybody, "test")


# The question on its way


async def test_a_question_that_no_smsc_takes_in_time_fails(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask()
        await one.later(29)
        assert await one.status(payment.id) == "created"
        await one.later(2)
        assert await one.status(payment.id) == "failed"
        assert (await one.row(payment.id)).reason == "prompt_not_accepted"
        assert one.ready() == []  # and it is not sent any more
        assert await one.events(payment.id) == ["payment.failed"]


async def test_a_question_that_is_refused_fails(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask()
        [question] = one.ready()
        one.outboxes["north"].refused(question, 0x0B)
        await one.settle()
        assert await one.status(payment.id) == "failed"
        assert (await one.row(payment.id)).reason == "prompt_refused"


async def test_a_question_that_was_canceled_before_it_went_out_is_not_sent(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment, other = await one.ask(), await one.ask(msisdn=OTHER)
        await one.payments.cancel(payment.id, one.everybody, "test")
        one.outboxes["north"].withdraw(payment.id)
        assert [message.row.payment for message in one.ready()] == [other.id]
        await one.settle()
        assert await one.rows("mts", "status") == [("expired",), ("queued",)]
        assert await one.status(payment.id) == "canceled"


async def test_a_question_is_sent_until_it_is_taken(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment = await one.ask()
        [question] = one.ready()
        one.outboxes["north"].unanswered(question)
        await one.settle()
        assert await one.status(payment.id) == "created"
        await one.accept()
        assert await one.status(payment.id) == "awaiting_confirmation"


# Test mode

SIMULATED = LINKS | {"sandbox": LinkSettings(host="h", system_id="s", password_file="p", receipts=True, test=True)}


async def test_test_payments_go_to_a_simulated_operator_and_nowhere_else(engine: Engine) -> None:
    async with market(engine, links=SIMULATED) as one:
        payment = await one.ask(test=True)
        assert (payment.operator, payment.test, payment.amount_minor) == ("sandbox", True, 250)
        live = await one.ask()
        assert (live.operator, live.test) == ("north", False)
        await one.accept("sandbox")
        assert await one.status(payment.id) == "awaiting_confirmation"


async def test_a_link_that_is_simulated_takes_no_live_payments(sqlite: Engine) -> None:
    links = {"north": structs.replace(LINKS["north"], test=True)}
    async with market(sqlite, links=links) as one:
        assert await refused(one) == "operator_unknown"
        assert (await one.ask(test=True)).operator == "north"


def merchant(**fields: Any) -> MerchantSettings:
    return structs.replace(GOLD, **fields)


async def test_the_merchants_own_words(sqlite: Engine) -> None:
    own = merchant(prompt={"en": "{product} for {price}? Say {yes}"})
    async with market(sqlite, merchants={"gold": own}) as one:
        await one.ask()
        assert one.answers()[-1] == "250 gold for 2.50 EUR? Say YES"


async def test_where_answers_are_billed_the_question_says_that_any_of_them_costs(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        await one.ask("gold-250", MO_PHONE)
        assert "Any reply to this number costs" in one.last_text()
        await one.ask("gold-250")
        assert "Any reply" not in one.last_text()
