"""Questions to SMSCs about messages that they accepted: what became of it; do not deliver it; deliver this instead.

Commands leave questions in the store beside the daemon; the daemon asks them on the message's link, one after the
other, and writes down the answers. It also asks by itself about messages whose receipt does not come (``ask_after_s``).
What an answer says about a message moves it as a receipt would. Which operations an operator offers is a setting.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from smsgw.domain.messages import NEXT, Event, Status
from smsgw.domain.receipts import event_of_state
from smsgw.errors import SessionError, SmsgwError
from smsgw.flows.audit import entry
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import every, insist
from smsgw.smpp import pdus, status
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.receipt import state_name
from smsgw.store import audit, operations, receipts
from smsgw.store.database import Transaction
from smsgw.store.operations import Kind, Message, OperationRow, Waiting
from smsgw.store.receipts import Delivered, ReceiptRow
from smsgw.text import coding, gsm7

log = get_logger(__name__)

NEEDED: Final[Mapping[Kind, str]] = {"query": "query_sm", "cancel": "cancel_sm", "replace": "replace_sm"}
PERIOD_S: Final = 1.0
DAEMON: Final = "daemon"  # who asks about missing receipts
_AT_ONCE: Final = 20  # of one link, before the next has its turn
_ANSWER_S: Final = 60.0  # longest wait for an answer, beside the session's own
_DEAD_MS: Final = 600_000  # after its time, nobody writes down an answer any more
_MOST_ASKED: Final = 3  # about one missing receipt
_OLDEST_MS: Final = 72 * 3_600_000  # SMSCs know messages for a few days
_UNREPORTED: Final = 100  # looked for at once
_KEEP_MS: Final = 90 * 86_400_000
# SMPP 3.4 §4.9.1: a cancel_sm without a message_id means every message between two addresses.
_NAMELESS: Final = "the operator gave it no id to be asked about by"
_GSM7_ALONE, _UCS2_ALONE = 160, 140  # octets of a message that is not cut


class Refused(SmsgwError):  # noqa: N818 - named after the answer
    """The question cannot be asked; the message says why."""


class Asks(Protocol):
    """A link, as far as it can be asked."""

    @property
    def can_ask(self) -> bool:
        """Return whether there is a bind that can send now."""

    async def ask(self, request: Pdu) -> Pdu:
        """Send a request and return its response.

        Raises:
            SmsgwError: no bind that can, or the answer did not come.
        """


class Question(Struct, frozen=True, kw_only=True):
    """What is to be asked."""

    kind: Kind
    mt: str  # mt_…
    actor: str  # who asks
    wait_ms: int  # how long it may wait to be asked
    text: str = ""  # to deliver instead ("replace")


async def request(ports: Ports, catalog: Catalog, question: Question) -> str:
    """Leave a question about a message to the daemon; return the question's id.

    Raises:
        Refused: the operator does not offer it, or the message is not there to be asked about.
    """
    mt, kind, actor = question.mt, question.kind, question.actor
    async with ports.database.read() as reader:
        message = await operations.message(reader, mt)
    if message is None:
        raise Refused(f"{mt}: there is no such message")
    link = catalog.links.get(message.link)
    if link is None:
        raise Refused(f"{mt}: its link {message.link} is not in the settings any more")
    if NEEDED[kind] not in link.supports:
        raise Refused(f"{message.link}: supports: the operator does not offer {NEEDED[kind]}")
    if message.status != Status.ACCEPTED:
        raise Refused(f"{mt}: it is {message.status}; only accepted messages can be asked about")
    if not message.message_id:
        raise Refused(f"{mt}: {_NAMELESS}")
    octets = _replacement(message, question.text) if kind == "replace" else None
    row = _row(ports, message.link, question, octets)

    async def body(transaction: Transaction) -> None:
        await operations.insert(transaction, [row])
        await audit.record(transaction, [entry(ports, actor, f"message.{kind}", mt, {"operation": row.id})])

    await ports.database.transact(body)
    return row.id


def _replacement(message: Message, text: str) -> bytes:
    """Return a text in the coding of the message that it replaces: replace_sm does not name one (SMPP 3.4 §4.10.1)."""
    if message.parts > 1:
        raise Refused(f"{message.id}: it is a part of a longer message; only single messages can be replaced")
    if message.data_coding not in {coding.DEFAULT, coding.UCS2}:
        raise Refused(f"{message.id}: its data_coding is {message.data_coding}; only 0 and 8 can be replaced")
    octets = gsm7.encode(text) if message.data_coding == coding.DEFAULT else text.encode("utf-16-be", "replace")
    if octets is None:
        raise Refused(f"{message.id}: it was sent in the GSM alphabet, which does not have all of these characters")
    most = _GSM7_ALONE if message.data_coding == coding.DEFAULT else _UCS2_ALONE
    if len(octets) > most:
        raise Refused(f"{message.id}: the text takes {len(octets)} octets; {most} are allowed")
    return octets


def _row(ports: Ports, link: str, question: Question, octets: bytes | None) -> OperationRow:
    name, ring, now_ms = ports.ids.new("op"), ports.vault.ring, ports.clock.now_ms()
    return OperationRow(
        id=name,
        link=link,
        mt=question.mt,
        kind=question.kind,
        sealed=None if octets is None else ring.seal(octets, name),
        key_id=None if octets is None else ring.key_id,
        created_ms=now_ms,
        until_ms=now_ms + question.wait_ms,
        actor=question.actor,
    )


class Operations:
    """Asks the questions that wait.

    Args:
        ports: the world.
        catalog: the links' settings.
        links: whom to ask.
    """

    def __init__(self, ports: Ports, catalog: Catalog, links: Mapping[str, Asks]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._links = links
        self._abandon_ms: dict[str, int] = {}  # by link: when to look again

    async def run(self) -> None:
        """Ask, for ever; links do not wait for each other."""
        async with asyncio.TaskGroup() as group:
            for name, settings in self._catalog.links.items():
                if settings.supports:
                    group.create_task(self._keep(name), name=f"operations {name}")
            await asyncio.Event().wait()  # a daemon without questions has this task all the same

    async def _keep(self, link: str) -> None:
        async def ask() -> None:
            await self.round(link)

        await asyncio.sleep(PERIOD_S)
        await every(PERIOD_S, ask, put_off=lambda error: log.warning("operations.put_off", link=link, error=str(error)))

    async def round(self, link: str) -> int:
        """Ask what waits on a link; return how many questions were asked."""
        await self._ask_about_missing(link)
        await self._abandon(link)
        async with self._ports.database.read() as reader:
            waiting = await operations.waiting(reader, link, _AT_ONCE)
        return sum([await self._one(question) for question in waiting])

    async def _abandon(self, link: str) -> None:
        """End what a daemon took to ask, and died before it wrote down the answer; seldom, as it hardly happens."""
        now_ms = self._ports.clock.now_ms()
        if now_ms < self._abandon_ms.get(link, 0):
            return
        self._abandon_ms[link] = now_ms + _DEAD_MS

        async def body(transaction: Transaction) -> int:
            return await operations.abandon(transaction, link, now_ms - _DEAD_MS, "nobody knows whether it was asked")

        if ended := await self._ports.database.transact(body):
            log.warning("operations.abandoned", link=link, count=ended)

    async def _ask_about_missing(self, link: str) -> None:
        ports, settings = self._ports, self._catalog.links[link]
        if not settings.ask_after_s or NEEDED["query"] not in settings.supports:
            return
        now_ms = ports.clock.now_ms()
        before_ms = now_ms - int(settings.ask_after_s * 1000)
        async with ports.database.read() as reader:
            missing = await operations.unreported(
                reader, link, before_ms=before_ms, after_ms=now_ms - _OLDEST_MS, most=_MOST_ASKED, count=_UNREPORTED
            )
        wait_ms = int(settings.ask_after_s * 1000)
        rows = [_row(ports, link, Question(kind="query", mt=mt, actor=DAEMON, wait_ms=wait_ms), None) for mt in missing]
        if rows:

            async def body(transaction: Transaction) -> None:
                await operations.insert(transaction, rows)

            await ports.database.transact(body)

    async def _one(self, question: Waiting) -> bool:
        """Ask one question; what was taken and never answered, because we died meanwhile, is ended by `_abandon`."""
        ports = self._ports
        if question.until_ms <= ports.clock.now_ms():
            await self._settle(question, "failed", "nobody could ask in time")
            return False
        if question.mt_status != Status.ACCEPTED:
            await self._settle(question, "failed", f"the message is {question.mt_status} by now")
            return False
        if not question.message_id:
            await self._settle(question, "failed", _NAMELESS)
            return False
        if not self._links[question.link].can_ask:
            return False  # it waits for a bind as long as it may

        async def take(transaction: Transaction) -> bool:
            return await operations.take(transaction, question.id)

        if not await ports.database.transact(take):
            return False
        try:
            async with asyncio.timeout(_ANSWER_S):
                response = await self._links[question.link].ask(self._request(question))
        except TimeoutError:
            await self._settle(question, "failed", "no answer in time")
        except SmsgwError as error:
            await self._settle(question, "failed", str(error))
        else:
            await self._take_answer(question, response)
        return True

    def _request(self, question: Waiting) -> Pdu:
        source = {
            "source_addr": question.source,
            "source_addr_ton": question.source_ton,
            "source_addr_npi": question.source_npi,
        }
        if question.kind == "query":
            return pdus.QuerySm(message_id=question.message_id, **source)  # type: ignore[arg-type]  # mixed values
        if question.kind == "cancel":
            return pdus.CancelSm(
                message_id=question.message_id,
                destination_addr=question.destination,
                dest_addr_ton=question.dest_ton,
                dest_addr_npi=question.dest_npi,
                **source,  # type: ignore[arg-type]  # mixed values
            )
        if question.sealed is None or question.key_id is None:
            raise SessionError("the question has no text")
        text = self._ports.vault.open(question.sealed, question.id, question.key_id)
        return pdus.ReplaceSm(message_id=question.message_id, short_message=text, **source)  # type: ignore[arg-type]  # mixed values

    async def _take_answer(self, question: Waiting, response: Pdu) -> None:
        if response.command_status != status.ESME_ROK:
            await self._settle(question, "failed", status.name(response.command_status))
            return
        state = "DELETED" if question.kind == "cancel" else ""
        if isinstance(response, pdus.QuerySmResp):
            state = state_name(response.message_state)
        await self._settle(question, "done", state or "replaced", state)

    async def _settle(self, question: Waiting, outcome: str, result: str, state: str = "") -> None:
        """Write down what came of a question; a state that it tells moves the message as a receipt does.

        The SMSC says it once: while the store cannot take it, it is kept, and the link's next question waits.
        """
        ports = self._ports
        event = event_of_state(state, self._catalog.links[question.link]) if state else Event.PROGRESS
        row = ReceiptRow(
            id=ports.ids.new("rcpt"),
            link=question.link,
            session=question.id,
            received_ms=ports.clock.now_ms(),
            message_id=question.message_id,
            state=state,
            error=None,
            done_ms=None,
            event=event.value,
            payload=msgspec.json.encode({"operation": question.kind, "result": result}),
            tlvs=b"",
            mt=question.mt,
        )
        following = NEXT[Status.ACCEPTED].get(event)

        async def body(transaction: Transaction) -> None:
            if not await operations.settle(transaction, question.id, outcome, result):
                return  # a commit that we were told had failed
            if state:
                await receipts.insert(transaction, [row])
            if following is not None:
                await receipts.deliver(transaction, [Delivered(mt=question.mt, status=following.value)])

        await insist(
            lambda: ports.database.transact(body),
            put_off=lambda error: log.warning("operations.put_off", link=question.link, error=str(error)),
        )
        log.info("mt.asked", mt=question.mt, link=question.link, kind=question.kind, outcome=outcome, result=result)


async def forget(ports: Ports, count: int) -> int:
    """Delete some of the questions and alerts that nobody needs any more; return how many."""
    async with ports.database.write() as transaction:
        return await operations.forget(transaction, ports.clock.now_ms() - _KEEP_MS, count)
