"""What phones answer: money moves on a plain YES to one open question, and everything else has its free answer."""

import pytest
from msgspec import structs

from smsgw.domain.payments import Fact
from smsgw.settings import ChargeProfile, Payments as Limits
from smsgw.settings.merchant import Charge, Product
from tests.flows.payments.market import GOLD, LINKS, MO_PHONE, OTHER, market
from tests.flows.world import deliver
from tests.servers.engines import Engine


@pytest.mark.parametrize("text", ["YES", "yes.", " Yes! 👍", "ДА", "дa", "Dа!", "ΔA", "да", "ok"])
async def test_a_yes_in_any_form(sqlite: Engine, text: str) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        await one.say(text)
        assert await one.status(payment.id) == "charging"


@pytest.mark.parametrize("text", ["да нет", "не да", "Дай", "yes please no", "maybe yes", "YES YES", "", "100"])
async def test_what_is_no_plain_yes_moves_nothing_and_is_asked_again(engine: Engine, text: str) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        before = len(one.sent)
        await one.say(text)
        assert await one.status(payment.id) == "awaiting_confirmation"
        assert Fact.ANSWERED in await one.facts(payment.id)
        assert len(one.sent) == before + 1
        await one.say("yes")
        assert await one.status(payment.id) == "charging"


@pytest.mark.parametrize("text", ["NO", "не", "HE", "Нe!", "n"])
async def test_no_declines_that_payment(sqlite: Engine, text: str) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        await one.say(text)
        assert await one.status(payment.id) == "declined"
        assert await one.events(payment.id) == ["payment.awaiting_confirmation", "payment.declined"]
        await one.say("YES")  # too late
        assert await one.status(payment.id) == "declined"
        assert await one.rows("charges", "id") == []


async def test_a_yes_counts_while_the_response_to_the_question_is_on_its_way(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask()
        [question] = one.ready()
        await one.say("YES")
        assert await one.status(payment.id) == "charging"
        assert await one.events(payment.id) == ["payment.awaiting_confirmation", "payment.confirmed"]
        one.outboxes["north"].accepted(question, "Q")
        await one.settle()
        assert await one.status(payment.id) == "charging"


async def test_a_second_yes_is_recorded_only(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        await one.say("YES")
        before = len(one.sent)
        await one.say("YES")
        await one.say("да")
        assert len(one.sent) == before
        assert (await one.facts(payment.id)).count(Fact.ANSWERED) == 2
        assert len(await one.rows("charges", "id")) == 1


async def test_two_yes_in_one_transaction_are_one_confirmation(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        said = [one.arrival(link="north", pdu=deliver("YES", destination_addr="7700")) for _ in range(2)]
        assert await one.take(*said) == [None, None]
        assert (await one.facts(payment.id)).count(Fact.CONFIRMED) == 1
        assert len(await one.rows("charges", "id")) == 1


async def test_a_redelivered_yes_is_no_second_answer(engine: Engine) -> None:
    """The first acknowledgement was lost with its session: the SMSC delivers again."""
    async with market(engine) as one:
        payment = await one.prompted()
        session = await one.begin()
        await one.sms(session=session, link="north", pdu=deliver("YES", destination_addr="7700"))
        await one.end(session)
        await one.sms(link="north", pdu=deliver("YES", destination_addr="7700"))
        assert (await one.verdicts())[-1][0] == "repeated"
        assert Fact.ANSWERED not in await one.facts(payment.id)


async def test_a_late_yes_costs_nothing_and_is_told_so(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        await one.later(900 + 120 - 1)
        assert await one.status(payment.id) == "awaiting_confirmation"
        await one.later(2)
        assert await one.status(payment.id) == "expired"
        before = len(one.sent)
        await one.say("YES")
        assert await one.status(payment.id) == "expired"
        assert len(one.sent) == before + 1
        assert await one.rows("charges", "id") == []


async def test_a_yes_within_the_grace_counts(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        await one.later(900 + 119)
        await one.say("YES")
        assert await one.status(payment.id) == "charging"


async def test_a_yes_out_of_nowhere_is_answered_a_few_times_an_hour(engine: Engine) -> None:
    async with market(engine, limits=Limits(answers_per_number=2)) as one:
        for _ in range(4):
            await one.say("YES")
        assert len(one.sent) == 2
        assert {outcome for _, outcome in await one.verdicts()} == {"payment_unexpected"}
        one.clock.advance(3_600_000)
        await one.say("YES")
        assert len(one.sent) == 3
        assert await one.rows("payments", "id") == []


async def test_answers_on_another_short_code_link_or_phone_count_for_nothing(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        await one.say("YES", to="1234")
        await one.say("YES", to="7701")
        await one.say("YES", link="south")
        await one.say("YES", OTHER)
        assert await one.status(payment.id) == "awaiting_confirmation"


async def test_stop_declines_blocks_and_acknowledges_and_start_unblocks(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        await one.say("STOP")
        assert await one.status(payment.id) == "declined"
        assert "START" in one.answers()[-1].upper()
        with pytest.raises(Exception, match="wants no questions"):
            await one.ask()
        await one.say("START")
        assert (await one.ask()).status == "created"


async def test_start_unblocks_however_late_it_comes(engine: Engine) -> None:
    async with market(engine) as one:
        await one.prompted()
        await one.say("STOP")
        one.clock.advance(90 * 86_400_000)
        with pytest.raises(Exception, match="wants no questions"):
            await one.ask()
        await one.say("START")
        assert (await one.ask()).status == "created"


async def test_start_does_not_unblock_who_asks_from_elsewhere(engine: Engine) -> None:
    other = structs.replace(GOLD, reply_addresses=["7800"])
    async with market(engine, merchants={"gold": GOLD, "silver": other}) as one:
        await one.prompted()
        await one.say("STOP")
        await one.say("START", to="7800")
        with pytest.raises(Exception, match="wants no questions"):
            await one.ask()
        assert (await one.ask(merchant="silver")).status == "created"


@pytest.mark.parametrize(("heard", "address"), [(True, "7700"), (False, "7025")])
async def test_who_stops_where_answers_cost_money_is_told_to_start_where_they_do_not(
    engine: Engine, address: str, *, heard: bool
) -> None:
    billed = ChargeProfile(way="mt")
    south = structs.replace(LINKS["south"], charging={"yes": ChargeProfile(way="mo"), "billed": billed})
    big = structs.replace(GOLD.tariffs["uah"], operators={"south": Charge(charge="billed", short_code="7600")})
    more = {**GOLD.products, "gold-500": Product(title={"en": "500 gold"}, units=500, tariffs=["large"])}
    merchant = structs.replace(GOLD, tariffs={**GOLD.tariffs, "large": big}, products=more) if heard else GOLD
    async with market(engine, links={**LINKS, "south": south}, merchants={"gold": merchant}) as one:
        await one.ask(msisdn=MO_PHONE)
        await one.accept("south")
        await one.say("STOP", MO_PHONE, "7025", "south")
        assert one.last_text().endswith(f"send START to {address}.")
        await one.say("START", MO_PHONE, address, "south")
        assert (await one.ask(msisdn=MO_PHONE)).status == "created"


async def test_stop_declines_what_is_open_at_all_of_the_merchants_addresses(engine: Engine) -> None:
    merchant = structs.replace(GOLD, reply_addresses=["7700", "7701"])
    other = structs.replace(GOLD, reply_addresses=["7800"])
    async with market(engine, merchants={"gold": merchant, "silver": other}) as one:
        asked = [
            await one.prompted(),
            await one.prompted("gold-500"),
            await one.prompted("gold-500", merchant="silver"),
        ]
        await one.say("STOP", to="7701")
        assert [await one.status(payment.id) for payment in asked] == ["declined", "declined", "awaiting_confirmation"]


async def test_stop_of_somebody_who_was_never_asked_blocks_everybody(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        await one.say("стоп")
        with pytest.raises(Exception, match="wants no questions"):
            await one.ask()


async def test_help_says_who_how_much_and_whom_to_call(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        await one.say("HELP")
        text = one.answers()[-1]
        assert "Gold" in text
        assert "2.50 EUR" in text
        assert "help@gold.example" in text
        assert await one.status(payment.id) == "awaiting_confirmation"


@pytest.mark.parametrize("text", ["HELP", "NO"])
async def test_nothing_false_is_said_about_a_payment_that_is_paid(engine: Engine, text: str) -> None:
    async with market(engine) as one:
        await one.prompted("gold-500")
        await one.say("YES")
        await one.accept()
        await one.say(text)
        told = one.answers()[-1]
        assert "help@gold.example" in told
        assert "waiting" not in told
        assert "Nothing" not in told


async def test_stop_is_acknowledged_though_the_free_answers_are_used_up(engine: Engine) -> None:
    async with market(engine, limits=Limits(answers_per_number=1)) as one:
        for text in ("maybe", "YES", "STOP"):
            await one.say(text)
        assert "START" in one.answers()[-1].upper()


async def test_the_evidence_holds_question_answer_times_and_message_ids(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        await one.say("ДА!")
        story = await one.payments.story(payment.id)
        assert story is not None
        [told] = [fact.told for fact in story.facts if fact.kind == "confirmed"]
        [(mo,)] = await one.rows("mos", "id")
        assert f'"mo":"{mo}"' in told
        assert '"answer":"ДА!"' in told
        assert one.last_text() in next(fact.told for fact in story.facts if fact.kind == "created")
        assert '"received_ms":' in told


async def test_references_tell_several_questions_apart(engine: Engine) -> None:
    merchant = structs.replace(GOLD, references=True)
    async with market(engine, merchants={"gold": merchant}) as one:
        first, second = await one.prompted(), await one.prompted("gold-500")
        references = [(await one.row(name)).reference for name in (first.id, second.id)]
        assert len(set(references)) == 2
        await one.say("YES")
        assert await one.status(first.id) == await one.status(second.id) == "awaiting_confirmation"
        await one.say(f"ДА{references[0]}")
        assert await one.status(first.id) == "charging"
        assert await one.status(second.id) == "awaiting_confirmation"
        await one.say(f"no {references[1]}")
        assert await one.status(second.id) == "declined"


async def test_further_reply_addresses_let_several_questions_be_open(engine: Engine) -> None:
    merchant = structs.replace(GOLD, reply_addresses=["7700", "7701"])
    async with market(engine, merchants={"gold": merchant}) as one:
        first, second = await one.prompted(), await one.prompted("gold-500")
        with pytest.raises(Exception, match="waits for this phone's answer"):
            await one.ask()
        await one.say("YES", to="7701")
        assert await one.status(first.id) == "awaiting_confirmation"
        assert await one.status(second.id) == "charging"


async def test_a_yes_that_crosses_a_new_question_pays_for_neither(engine: Engine) -> None:
    async with market(engine) as one:
        first = await one.prompted()
        await one.payments.cancel(first.id, one.everybody, "test")
        second = await one.prompted("gold-500")
        await one.say("YES")
        assert await one.status(second.id) == "awaiting_confirmation"
        one.clock.advance(5_000)
        await one.say("YES")
        assert await one.status(second.id) == "charging"


async def test_a_late_billed_yes_is_a_discrepancy(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask(msisdn=MO_PHONE)
        await one.accept("south")
        await one.later(2_000)
        assert await one.status(payment.id) == "expired"
        await one.say("yes", MO_PHONE, "7025", "south")
        row = await one.row(payment.id)
        assert (row.status, row.discrepancy) == ("expired", "refund")
        assert (await one.events(payment.id))[-1] == "payment.discrepancy"


async def test_a_billed_no_is_not_told_that_nothing_was_charged(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask(msisdn=MO_PHONE)
        await one.accept("south")
        await one.say("no", MO_PHONE, "7025", "south")
        row = await one.row(payment.id)
        assert (row.status, row.discrepancy) == ("declined", "refund")
        assert "charged" not in one.last_text()
        assert one.last_text().startswith("Gold: 250 gold was not bought. For what your SMS cost, contact")


async def test_a_second_billed_yes_is_a_discrepancy(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask(msisdn=MO_PHONE)
        await one.accept("south")
        await one.say("yes", MO_PHONE, "7025", "south")
        await one.say("yes", MO_PHONE, "7025", "south")
        row = await one.row(payment.id)
        assert (row.status, row.discrepancy) == ("succeeded", "refund")


async def test_a_keyword_of_a_service_on_the_same_short_code_still_buys(sqlite: Engine) -> None:
    merchant = structs.replace(GOLD, reply_addresses=["1234"])
    async with market(sqlite, merchants={"gold": merchant}) as one:
        payment = await one.prompted()
        await one.say("SUN", to="1234")
        assert len(await one.codes()) == 1
        assert await one.status(payment.id) == "awaiting_confirmation"
        await one.say("YES", to="1234")
        assert await one.status(payment.id) == "charging"


async def test_a_number_in_national_form_is_the_same_phone(sqlite: Engine) -> None:
    async with market(sqlite, links=LINKS) as one:
        payment = await one.prompted()
        national = deliver("YES", source_addr="0881234567", source_addr_ton=2, destination_addr="7700")
        await one.sms(link="north", pdu=national)
        assert await one.status(payment.id) == "charging"


async def test_a_long_answer_in_parts_is_read_whole(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        text = "yes " + "🙂" * 80  # one word, and what is not meant: but longer than any plain answer
        await one.say(text)
        assert await one.status(payment.id) in {"awaiting_confirmation", "charging"}
