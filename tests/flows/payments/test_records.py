"""The operator's records as a file: read, compared, and told to the payments; the simulated operator writes them."""

import pytest

from smsgw.domain.charging import Said, Told
from smsgw.domain.payments import Fact
from smsgw.domain.records import Line, Verdict
from smsgw.flows.amend import Refused
from smsgw.flows.payments import records
from smsgw.flows.payments.findings import Finding
from smsgw.flows.payments.records import BadFileError
from smsgw.flows.ports import Refunded
from smsgw.kit.clock import rfc3339
from smsgw.store.payments import PaymentRow
from tests.flows.payments.bank import DENIED, LOST, Bank, bank
from tests.flows.payments.market import MO_PHONE, PHONE, market
from tests.flows.payments.test_charging import billed, charging
from tests.servers.engines import Engine

HEAD = "operator_id,msisdn,short_code,amount_minor,currency,reference,at,status\n"


def lines(*text: str) -> list[Line]:
    def bad(number: int, what: str) -> None:
        raise AssertionError(f"{number}: {what}")

    return records.lines_of([HEAD, *(f"{one}\n" for one in text)], bad)


def direct(row: PaymentRow, charge: str, **changes: str) -> str:
    told = {
        "operator_id": "op9",
        "msisdn": row.msisdn,
        "short_code": "",
        "amount_minor": str(row.amount_minor),
        "currency": row.currency,
        "reference": charge,
        "at": rfc3339(row.confirmed_ms or 0),
        "status": "charged",
    }
    return ",".join((told | changes).values())


async def take(one: Bank, link: str, found: list[Line]) -> list[Verdict]:
    judged = await records.look(one.ports, link, found)
    for line in judged:
        await records.take(one.resolver, line, "me")
    await records.keep(one.resolver, judged, "me")
    return [line.verdict for line in judged]


# Reading


def test_bad_lines_are_named_and_the_others_are_read() -> None:
    told = []
    text = [
        HEAD,
        "a,359881234567,7250,250,EUR,,2026-03-01T12:00:00Z,charged\n",
        "a,359881234567,7250,250\n",
        "a,359881234567,7250,250,EUR,,2026-03-01T12:00:00Z,charged,more\n",
        "a,359881234567,7250,x,EUR,,2026-03-01T12:00:00Z,charged\n",
    ]
    found = records.lines_of(text, lambda number, what: told.append((number, what)))
    assert [one.number for one in found] == [2]
    assert [number for number, _ in told] == [3, 4, 5]
    assert not any("359" in what for _, what in told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ([], "has no column operator_id"),
        (["msisdn,at\n"], "has no column operator_id"),
        ([HEAD, '"open,\n'], "not CSV"),
        ([HEAD, "a\0b\n"], None),
    ],
)
def test_what_is_no_such_file(text: list[str], words: str | None) -> None:
    if words is None:
        told: list[int] = []
        try:
            records.lines_of(text, lambda number, _: told.append(number))
        except BadFileError:
            return
        assert told
        return
    with pytest.raises(BadFileError, match=words):
        records.lines_of(text, lambda *_: None)


def test_a_file_may_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST", 1)
    one = "a,,,250,EUR,,2026-03-01T12:00:00Z,charged\n"
    with pytest.raises(BadFileError, match="more than 1 lines"):
        records.lines_of([HEAD, one, one], lambda *_: None)


# Against payments


@pytest.mark.parametrize(("status", "after"), [("charged", "succeeded"), ("failed", "failed")])
async def test_what_nobody_knew_is_resolved(engine: Engine, status: str, after: str) -> None:
    async with bank(engine) as one:
        one.api.on_charge = [LOST]
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        found = lines(direct(await one.row(payment), attempt.id, status=status))
        assert await take(one, "south", found) == [Verdict.UNKNOWN], "another operator's"
        assert await take(one, "north", found) == [Verdict.RESOLVED]
        assert await one.status(payment) == after
        assert await take(one, "north", found) == [Verdict.AGREES]


async def test_a_charge_that_was_failed_here_is_odd_and_once(engine: Engine) -> None:
    async with bank(engine) as one:
        one.api.on_charge = [DENIED]
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        found = lines(direct(await one.row(payment), attempt.id))
        assert await take(one, "north", found) == [Verdict.DISCREPANCY]
        assert (await one.row(payment)).discrepancy == "refund"
        assert len(await one.refunds(payment)) == 1
        facts = len(await one.facts(payment))
        assert await take(one, "north", found) == [Verdict.AGREES], "we know that it was charged"
        assert len(await one.facts(payment)) == facts, "the same line again"
        await one.work()
        assert (await one.row(payment)).discrepancy is None
        assert await take(one, "north", found) == [Verdict.AGREES]
        assert (await one.row(payment)).discrepancy is None, "what was settled stays so"


async def test_a_receipt_of_money_that_the_records_have_shown_shows_nothing_new(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1", state="UNDELIV"))
        assert await one.status(payment) == "failed"
        [judged] = await records.look(
            one.ports, "north", lines(f"a1,{PHONE},7250,250,EUR,,{rfc3339(one.clock.now_ms())},charged")
        )
        await records.take(one.resolver, judged, "me")
        assert (await one.row(payment)).discrepancy == "refund"
        await one.resolver.resolve(payment, "settled", actor="me", note="the buyer has got the gold")
        await one.sms(link="north", pdu=billed("A1"))
        assert (await one.row(payment)).discrepancy is None
        assert (await one.events(payment)).count("payment.discrepancy") == 1


async def test_what_a_person_has_settled_is_not_given_back_by_a_later_word_of_the_operator(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [DENIED]
        one.api.on_refund = [Refunded(outcome="refused", http_status=422)]
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        await take(one, "north", lines(direct(await one.row(payment), attempt.id)))
        await one.work()
        await one.resolver.resolve(payment, "settled", actor="me", note="the buyer has got the gold")
        late = Finding(
            payment=payment,
            charge=attempt.id,
            told=Told(Said.CHARGED),
            intent_ms=attempt.intent_ms,
            evidence={"by": "response"},
        )
        await one.direct.findings.record(late)
        row = await one.row(payment)
        assert (row.discrepancy, row.refunded_minor) == (None, 0)


async def test_a_second_charge_in_a_later_file_is_odd_and_once(engine: Engine) -> None:
    async with bank(engine) as one:
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        row = await one.row(payment)
        first = lines(direct(row, attempt.id))
        second = lines(direct(row, attempt.id, operator_id="op10", at=rfc3339((row.confirmed_ms or 0) + 90_000)))
        assert await take(one, "north", first) == [Verdict.AGREES]
        facts = await one.facts(payment)
        assert facts[-1] is Fact.RECORDED, "the operator's record is kept"
        assert await take(one, "north", first) == [Verdict.AGREES]
        assert await one.facts(payment) == facts, "once"
        renamed = lines(direct(row, attempt.id, operator_id="billing-9"))
        assert await take(one, "north", renamed) == [Verdict.AGREES], "the same moment, in a list with other ids"
        assert await take(one, "north", second) == [Verdict.DISCREPANCY]
        row = await one.row(payment)
        assert (row.status, row.discrepancy, row.refunded_minor) == ("succeeded", "refund", 0)
        assert await take(one, "north", second) == [Verdict.AGREES], "known by now"
        assert (await one.events(payment)).count("payment.discrepancy") == 1


async def test_money_taken_twice_is_odd_and_goes_back_by_hand(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        row = await one.row(payment)
        found = lines(direct(row, attempt.id), direct(row, attempt.id, operator_id="op10"))
        assert await take(one, "north", found) == [Verdict.AGREES, Verdict.DISCREPANCY]
        row = await one.row(payment)
        assert (row.status, row.discrepancy, row.refunded_minor) == ("succeeded", "refund", 0)
        assert (await one.events(payment))[-1] == "payment.discrepancy"


async def test_another_amount_resolves_and_is_odd(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [LOST]
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        found = lines(direct(await one.row(payment), attempt.id, amount_minor="1"))
        assert await take(one, "north", found) == [Verdict.DISCREPANCY]
        row = await one.row(payment)
        assert (await one.status(payment), row.discrepancy, row.refunded_minor) == ("succeeded", "refund", 0)


async def test_a_billed_message_is_found_by_its_id_or_by_its_circumstances(engine: Engine) -> None:
    async with bank(engine) as one:
        payment = (await one.prompted()).id
        await one.say("YES")
        [bill] = one.ready()
        one.outboxes["north"].accepted(bill, "A7F")
        await one.settle()
        at = rfc3339(one.clock.now_ms())
        by_id = lines(f"a7f,,,250,EUR,,{at},charged")
        [found] = await records.look(one.ports, "north", by_id)
        assert found.verdict is Verdict.RESOLVED
        by_place = lines(f"mt-1,{PHONE},7250,250,EUR,,{at},charged")
        assert await take(one, "north", by_place) == [Verdict.RESOLVED]
        assert await one.status(payment) == "succeeded"
        assert await one.rows("mts", "status") == [("accepted",), ("delivered",)]


async def test_a_billed_answer_agrees(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted("gold-250", MO_PHONE)
        await one.say("yes", MO_PHONE, "7025", "south")
        assert await one.status(payment.id) == "succeeded"
        found = lines(f"mo-1,+{MO_PHONE},7025,2500,UAH,,{rfc3339(one.clock.now_ms())},charged")
        [judged] = await records.look(one.ports, "south", found)
        assert judged.verdict is Verdict.AGREES


async def test_a_record_of_no_payment(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        with pytest.raises(Refused):
            await one.resolver.record("pay_none", charged=True, told={})
