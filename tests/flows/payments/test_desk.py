"""A payment from the question to the money, by each way to charge, on both engines."""

from tests.flows.payments.market import MO_PHONE, PHONE, market
from tests.flows.world import receipt
from tests.servers.engines import Engine


async def test_billed_message_proven_by_its_receipt(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask(state="basket 7")
        assert (payment.status, payment.amount_minor, payment.currency) == ("created", 250, "EUR")
        [question] = await one.accept()
        assert question.row.source == "7700"
        assert question.row.destination == PHONE
        assert await one.status(payment.id) == "awaiting_confirmation"
        await one.say("ДА!")
        assert await one.status(payment.id) == "charging"
        [bill] = one.ready()
        assert (bill.row.source, bill.row.service_type, bill.row.charge is not None) == ("7250", "T250", True)
        assert await one.charge(payment.id) == "intent"
        one.outboxes["north"].accepted(bill, "A7")
        await one.settle()
        assert await one.charge(payment.id) == "accepted"
        assert await one.status(payment.id) == "charging"
        await one.sms(link="north", pdu=receipt("A7", source_addr=PHONE, destination_addr="7250"))
        assert await one.status(payment.id) == "succeeded"
        assert await one.charge(payment.id) == "charged"
        assert await one.events(payment.id) == [
            "payment.awaiting_confirmation",
            "payment.confirmed",
            "payment.succeeded",
        ]
        assert await one.rows("mts", "status") == [("accepted",), ("delivered",)]


async def test_billed_message_proven_by_the_response(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted("gold-500")
        await one.say("YES")
        await one.accept()
        assert await one.status(payment.id) == "succeeded"


async def test_the_answer_itself_is_billed(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask(msisdn=MO_PHONE)
        [question] = await one.accept("south")
        assert question.row.source == "7025"
        await one.say("так", MO_PHONE, "7025", "south")
        assert await one.status(payment.id) == "awaiting_confirmation"  # not a word of this merchant's languages
        await one.say("yes", MO_PHONE, "7025", "south")
        assert await one.status(payment.id) == "succeeded"
        assert await one.charge(payment.id) == "charged"
