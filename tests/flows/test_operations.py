"""Questions about accepted messages: asked once, answered or given up, and what they tell moves the message."""

from typing import Any

import pytest

from smsgw.errors import SessionError, StoreUnavailable
from smsgw.flows import operations
from smsgw.flows.operations import Operations, Question, Refused
from smsgw.kit import turns
from smsgw.settings import LinkSettings
from smsgw.smpp import pdus
from smsgw.smpp.pdus import Pdu
from smsgw.store import operations as store
from tests.flows.test_receipts import Sender, states
from tests.flows.world import LINK, PHONE, SECOND, World, changed, receipt, world
from tests.servers.engines import Engine

ALL: Any = ["query_sm", "cancel_sm", "replace_sm"]
WAIT_MS = 60_000


def link(**fields: Any) -> dict[str, LinkSettings]:
    return {"north": changed(LINK, supports=ALL, **fields)}


class Smsc:
    """A link that answers what it is told to."""

    def __init__(self, *answers: Pdu | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Pdu] = []
        self.can_ask = True

    async def ask(self, request: Pdu) -> Pdu:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def ask(one: World, kind: store.Kind, mt: str, text: str = "") -> str:
    question = Question(kind=kind, mt=mt, actor="cli:me", wait_ms=WAIT_MS, text=text)
    return await operations.request(one.ports, one.catalog, question)


async def told(one: World) -> list[tuple[Any, ...]]:
    return await one.rows("operations", "kind", "status", "result")


def daemon(one: World, smsc: Smsc) -> Operations:
    return Operations(one.ports, one.catalog, {"north": smsc})


@pytest.mark.parametrize(
    ("message_state", "word", "status"),
    [(2, "DELIVRD", "delivered"), (5, "UNDELIV", "failed"), (1, "ENROUTE", "accepted"), (99, "UNKNOWN", "accepted")],
)
async def test_an_answer_moves_its_message_as_a_receipt_would(
    engine: Engine, message_state: int, word: str, status: str
) -> None:
    async with world(engine, links=link(response_ids="hex")) as one:
        mt = await Sender(one).send("00FF")
        smsc = Smsc(pdus.QuerySmResp(message_id="00FF", message_state=message_state))
        await ask(one, "query", mt)
        assert await daemon(one, smsc).round("north") == 1
        assert smsc.asked == [
            pdus.QuerySm(message_id="00FF", source_addr="1234", source_addr_ton=3, source_addr_npi=9)
        ], "by the name that the SMSC gave it"
        assert await told(one) == [("query", "done", word)]
        assert await states(one) == [(mt, status)]
        assert await one.rows("receipts", "state", "mt") == [(word, mt)]
        assert await daemon(one, smsc).round("north") == 0, "asked once"


async def test_a_message_that_is_cancelled_has_failed(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        smsc = Smsc(pdus.CancelSmResp())
        await ask(one, "cancel", mt)
        await daemon(one, smsc).round("north")
        [asked] = smsc.asked
        assert isinstance(asked, pdus.CancelSm)
        assert (asked.message_id, asked.source_addr, asked.destination_addr) == ("7", "1234", PHONE)
        assert await states(one) == [(mt, "failed")]
        assert await one.rows("audit", "actor", "action", "subject") == [("cli:me", "message.cancel", mt)]


async def test_a_text_is_replaced_in_its_own_coding(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        smsc = Smsc(pdus.ReplaceSmResp())
        await ask(one, "replace", mt, "Price: 5 €")
        assert b"Price" not in (await one.rows("operations", "sealed"))[0][0]
        await daemon(one, smsc).round("north")
        [asked] = smsc.asked
        assert isinstance(asked, pdus.ReplaceSm)
        assert asked.short_message == b"Price: 5 \x1be"
        assert await states(one) == [(mt, "accepted")]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (pdus.QuerySmResp(command_status=0x67), "ESME_RQUERYFAIL"),
        (pdus.GenericNack(command_status=0x03), "ESME_RINVCMDID"),
        (SessionError("no bind can send"), "no bind can send"),
        (TimeoutError(), "no answer in time"),
    ],
)
async def test_a_question_without_an_answer_changes_nothing(
    engine: Engine, answer: Pdu | Exception, result: str
) -> None:
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        await ask(one, "query", mt)
        await daemon(one, Smsc(answer)).round("north")
        assert await told(one) == [("query", "failed", result)]
        assert await states(one) == [(mt, "accepted")]


async def test_what_has_settled_meanwhile_or_waited_too_long_is_not_asked(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        sender, smsc = Sender(one), Smsc()
        first, second = await sender.send("7"), await sender.send("8")
        await ask(one, "cancel", first)
        await one.take(one.arrival(pdu=receipt("7")))
        assert await daemon(one, smsc).round("north") == 0
        await ask(one, "cancel", second)
        one.clock.advance(WAIT_MS)
        assert await daemon(one, smsc).round("north") == 0
        assert [result for _, _, result in await told(one)] == [
            "the message is delivered by now",
            "nobody could ask in time",
        ]
        assert smsc.asked == []


async def test_a_question_waits_for_a_bind_as_long_as_it_may(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        await ask(one, "cancel", mt)
        smsc = Smsc(pdus.CancelSmResp())
        smsc.can_ask = False
        assert await daemon(one, smsc).round("north") == 0
        assert await told(one) == [("cancel", "waiting", None)]
        smsc.can_ask = True
        assert await daemon(one, smsc).round("north") == 1
        assert await states(one) == [(mt, "failed")]


async def test_what_a_daemon_took_before_it_died_is_ended_some_time(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        name = await ask(one, "cancel", mt)
        async with one.database.write() as transaction:
            assert await store.take(transaction, name)
        next_life = daemon(one, Smsc())
        for waited_ms, status in ((0, "asked"), (WAIT_MS + 600_000, "asked"), (600_000, "failed")):
            one.clock.advance(waited_ms)
            assert await next_life.round("north") == 0
            assert [one_status for _, one_status, _ in await told(one)] == [status]


async def test_an_answer_that_comes_after_the_question_was_given_up_counts(engine: Engine) -> None:
    """A node without its store keeps the SMSC's answer, and another has ended the question meanwhile."""
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        await ask(one, "cancel", mt)
        other = daemon(one, Smsc())

        class Slow(Smsc):
            async def ask(self, request: Pdu) -> Pdu:
                one.clock.advance(WAIT_MS + 600_001)
                await other.round("north")
                assert [status for _, status, _ in await told(one)] == ["failed"]
                return await super().ask(request)

        await daemon(one, Slow(pdus.CancelSmResp())).round("north")
        assert await told(one) == [("cancel", "done", "DELETED")]
        assert await states(one) == [(mt, "failed")]


async def test_two_daemons_ask_once(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        await ask(one, "cancel", mt)
        async with one.database.read() as reader:
            [question] = await store.waiting(reader, "north", 10)
        first, second = Smsc(pdus.CancelSmResp()), Smsc(pdus.CancelSmResp())
        assert await daemon(one, first)._one(question)
        assert not await daemon(one, second)._one(question)
        assert (len(first.asked), len(second.asked)) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "changes", "text", "sentence"),
    [
        ("query", {"supports": []}, "", "north: supports: the operator does not offer query_sm"),
        ("replace", {}, "Ж", "its data_coding|GSM alphabet"),
        ("replace", {}, "x" * 161, "the text takes 161 octets; 160 are allowed"),
    ],
)
async def test_what_cannot_be_asked_is_said_at_once(
    sqlite: Engine, kind: store.Kind, changes: dict[str, Any], text: str, sentence: str
) -> None:
    async with world(sqlite, links={"north": changed(LINK, **({"supports": ALL} | changes))}) as one:
        mt = await Sender(one).send("7")
        with pytest.raises(Refused, match=sentence):
            await ask(one, kind, mt, text)
        assert await told(one) == []


async def test_a_message_that_is_not_there_or_not_accepted(sqlite: Engine) -> None:
    async with world(sqlite, links=link()) as one:
        with pytest.raises(Refused, match="there is no such message"):
            await ask(one, "query", "mt_none")
        await one.sms()
        with pytest.raises(Refused, match="it is queued; only accepted messages"):
            await ask(one, "query", one.sent[-1].row.id)


async def test_a_message_without_an_id_is_never_asked_about(engine: Engine) -> None:
    """cancel_sm without a message_id cancels whatever waits between two addresses (SMPP 3.4 §4.9.1)."""
    async with world(engine, links=link(receipts=True, ask_after_s=100)) as one:
        mt = await Sender(one).send("")
        with pytest.raises(Refused, match="the operator gave it no id"):
            await ask(one, "cancel", mt)
        one.clock.advance(200 * SECOND)
        smsc = Smsc()
        assert await daemon(one, smsc).round("north") == 0
        assert smsc.asked == []
        assert await told(one) == []


@pytest.mark.parametrize("committed", [False, True])
async def test_an_answer_is_kept_until_the_store_takes_it(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    committed: bool,  # noqa: FBT001 - a column
) -> None:
    monkeypatch.setattr(turns, "_AGAIN_S", 0.0)
    async with world(engine, links=link()) as one:
        mt = await Sender(one).send("7")
        await ask(one, "cancel", mt)

        class Meanwhile(Smsc):
            async def ask(self, request: Pdu) -> Pdu:
                faults = one.database.behind if committed else one.database.before
                faults.append(StoreUnavailable("the disk is full"))
                return await super().ask(request)

        smsc = Meanwhile(pdus.CancelSmResp())
        assert await daemon(one, smsc).round("north") == 1
        assert await told(one) == [("cancel", "done", "DELETED")]
        assert await states(one) == [(mt, "failed")]
        assert await one.count("receipts") == len(smsc.asked) == 1


async def test_a_receipt_that_does_not_come_is_asked_for_three_times(engine: Engine) -> None:
    async with world(engine, links=link(receipts=True, ask_after_s=100)) as one:
        mt = await Sender(one).send("7")
        smsc = Smsc(*[pdus.QuerySmResp(message_state=1)] * 9)
        asking = daemon(one, smsc)
        asked = []
        for _ in range(6):
            for _ in range(10):
                one.clock.advance(10 * SECOND)
                await asking.round("north")
            asked.append(len(smsc.asked))
        assert asked == [1, 2, 3, 3, 3, 3]
        assert (await one.rows("operations", "actor"))[0] == ("daemon",)
        assert await states(one) == [(mt, "accepted")]


async def test_old_questions_and_alerts_are_forgotten(engine: Engine) -> None:
    async with world(engine, links=link()) as one:
        await ask(one, "query", await Sender(one).send("7"))
        async with one.database.write() as transaction:
            row = store.AlertRow(
                id="al_1", link="north", received_ms=one.clock.now_ms(), source=PHONE, esme="1", ms_availability=0
            )
            await store.record_alerts(transaction, [row])
        one.clock.advance(90 * 86_400 * SECOND)
        assert await operations.forget(one.ports, 10) == 0
        one.clock.advance(1)
        assert await operations.forget(one.ports, 10) == 2
