"""Plays a scenario on an SMSC, step by step, and tells of each what was done, or expected and seen."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct

from smsgw.simulator import faults, messages, steps
from smsgw.simulator.peer import Bind
from smsgw.simulator.receipts import Dialect
from smsgw.simulator.scenario import Scenario, status_code
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.steps import AnyStep, Deliver
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.smpp import status
from smsgw.smpp.pdus import Pdu

MOST_KEPT: Final = 200_000  # PDUs and messages of the gateway that no step has counted; a rehearsal ends before that
_SHOWN: Final = 40  # characters of a text in the report
_MOST_SHOWN: Final = 3  # messages in one line of it
_AGAIN_S: Final = 0.1  # before the gateway is looked for again
_FIRST_REFERENCE: Final = 7
_FIRST_MESSAGE_ID: Final = 0xA7F0  # so that hex differs from decimal
_VERSIONS: Final = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}


class Place(Struct, frozen=True, kw_only=True):
    """Where the rehearsal takes place."""

    short_code: str = "1234"
    keyword: str = "SUN"
    subscriber: str = "359888123456"
    gateway: tuple[str, int] = ("", 0)  # where it listens for outbind


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a step."""

    number: int
    at_s: float  # since the beginning
    met: bool | None  # None: nothing was expected
    said: str  # a sentence
    note: str = ""


class Unmet(Exception):  # noqa: N818 - named after the condition
    """An expectation does not hold; says what was seen instead."""


def settings_of(scenario: Scenario, wanted: SmscSettings, tls: ssl.SSLContext | None = None) -> SmscSettings:
    """Return the settings of the SMSC that a scenario needs, at the place that is wanted."""
    setup = scenario.smsc
    return SmscSettings(
        host=wanted.host,
        port=wanted.port,
        system_id=wanted.system_id,
        password=wanted.password,
        window=setup.window,
        interface_version=_VERSIONS[setup.interface_version],
        kinds=frozenset(setup.kinds),
        most_binds=setup.most_binds,
        first_sequence_number=setup.first_sequence_number,
        first_message_id=_FIRST_MESSAGE_ID,
        deliver_response_timeout_ms=int(setup.answer_timeout_s * 1000),
        redeliver_after_ms=int(setup.redeliver_after_s * 1000),
        offers=frozenset(setup.offers),
        tls=tls,
    )


class Rehearsal:
    """One run.

    Args:
        scenario: what is played.
        smsc: started, unless the scenario says that it does not listen; its hooks are taken.
        place: see there.
        tell: hears of each step when it is over.
    """

    def __init__(self, scenario: Scenario, smsc: Smsc, place: Place, tell: Callable[[Outcome], None]) -> None:
        self.outcomes: list[Outcome] = []
        self._scenario = scenario
        self._smsc = smsc
        self._place = place
        self._tell = tell
        self._answers: dict[str, asyncio.Future[int]] = {}
        self._subscriber = place.subscriber
        self._mts: list[SubmittedMessage] = []  # that no step has counted
        self._pdus: list[Pdu] = []
        self._tried = 0
        self._references = _FIRST_REFERENCE
        self._changed = asyncio.Event()
        smsc.on_mt = self._on_mt
        smsc.on_pdu = self._on_pdu
        smsc.on_binds = self._on_binds

    @property
    def met(self) -> bool:
        """Whether everything that was expected was seen."""
        return all(outcome.met is not False for outcome in self.outcomes)

    async def play(self) -> bool:
        """Play all steps; without a bind at the beginning there is nothing to play, and the rest is left out."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, step in enumerate(self._scenario.steps, 1):
            if step.after_s:
                await asyncio.sleep(step.after_s)
            met: bool | None = None
            try:
                said = await self._do(step)
                met = True if steps.word(step).startswith("expect") else None
            except Unmet as unmet:
                said, met = str(unmet), False
            outcome = Outcome(number=number, at_s=loop.time() - began, met=met, said=said, note=step.note)
            self.outcomes.append(outcome)
            self._tell(outcome)
            if met is False and isinstance(step, steps.ExpectBound):
                break
        return self.met

    # What the SMSC tells

    def _on_mt(self, message: SubmittedMessage) -> None:
        if len(self._mts) < MOST_KEPT:
            self._mts.append(message)
        self._changed.set()

    def _on_pdu(self, _: int, sent: bool, pdu: Pdu, __: int) -> None:  # noqa: FBT001 - the hook's order
        if not sent:
            self._tried += pdu.name.startswith("bind_")
            if len(self._pdus) < MOST_KEPT:
                self._pdus.append(pdu)
        self._changed.set()

    def _on_binds(self, _: tuple[Bind, ...]) -> None:
        self._changed.set()

    # The steps

    async def _do(self, step: AnyStep) -> str:
        """Play a step by the method that is named after it; faults are all alike."""
        if type(step) in _FAULTS:
            return self._fault(step)
        play: Callable[[AnyStep], Awaitable[str]] = getattr(self, f"_{steps.word(step).replace(' ', '_')}")
        return await play(step)

    async def _until(self, condition: Callable[[], bool], step: steps.Expectation) -> bool:
        """Wait for something; whether it came in time."""
        try:
            async with asyncio.timeout(step.within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return condition()
        return True

    def _fill(self, text: str) -> str:
        place = self._place
        for name, value in (
            ("{short_code}", place.short_code),
            ("{keyword}", place.keyword),
            ("{subscriber}", place.subscriber),
        ):
            text = text.replace(name, value)
        return text

    async def _expect_bound(self, step: steps.ExpectBound) -> str:
        smsc, wanted = self._smsc, sorted(step.kinds)

        def stands() -> bool:
            left = [bind.kind for bind in smsc.binds]
            return all(left.count(kind) >= wanted.count(kind) for kind in wanted)

        if await self._until(stands, step):
            return f"bound: {', '.join(f'{bind.system_id} ({bind.kind})' for bind in smsc.binds)}"
        seen = ", ".join(bind.kind for bind in smsc.binds) or "none"
        raise Unmet(f"expected within {step.within_s:g} s to be bound: {', '.join(wanted)}; seen: {seen}")

    async def _expect_gone(self, step: steps.ExpectGone) -> str:
        if await self._until(lambda: not self._smsc.binds, step):
            return "no gateway is bound any more"
        raise Unmet(f"expected within {step.within_s:g} s that nobody is bound; seen: {len(self._smsc.binds)} bind(s)")

    async def _expect_tried(self, step: steps.ExpectTried) -> str:
        if not await self._until(lambda: self._tried >= step.times, step):
            raise Unmet(f"expected within {step.within_s:g} s {step.times} attempt(s) to bind; seen: {self._tried}")
        seen, self._tried = self._tried, 0
        return f"the gateway has tried to bind {_times(seen)}"

    async def _expect_answer(self, step: steps.ExpectAnswer) -> str:
        name = step.message or next(reversed(self._answers), "")
        answer, wanted = self._answers.get(name), status_code(step.status)
        if answer is None:
            raise Unmet("expected an answer, but no message was delivered before")
        answer.add_done_callback(lambda _: self._changed.set())
        if not await self._until(answer.done, step):
            raise Unmet(f"expected an answer of {status.name(wanted)} within {step.within_s:g} s; seen: none")
        seen = answer.result()
        if seen != wanted:
            raise Unmet(f"expected an answer of {status.name(wanted)}; seen: {status.name(seen)}")
        return f"the gateway has answered {status.name(seen)}"

    async def _expect_reply(self, step: steps.ExpectReply) -> str:
        to, text = self._fill(step.to) or self._subscriber, self._fill(step.text)

        def fitting() -> list[SubmittedMessage]:
            return [one for one in self._mts if to in {"*", one.destination} and text in (one.text or "")]

        in_time = await self._until(lambda: len(fitting()) >= step.times, step)
        found = fitting()[: step.times]
        if not in_time:
            others = len(self._mts) - len(found)
            like = f' with "{text}"' if text else ""
            raise Unmet(
                f"expected within {step.within_s:g} s {step.times} message(s) to {to}{like}; "
                f"seen: {len(found)}, and {others} other(s)"
            )
        for one in found:
            self._mts.remove(one)
        more = len(found) - _MOST_SHOWN
        return "; ".join(_shown(one) for one in found[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")

    async def _expect_pdu(self, step: steps.ExpectPdu) -> str:
        def fitting() -> list[Pdu]:
            return [one for one in self._pdus if one.name == step.pdu and _has(one, step.fields)]

        in_time = await self._until(lambda: len(fitting()) >= step.times, step)
        found = fitting()[: step.times]
        if not in_time:
            like = f" with {', '.join(f'{key} = {value}' for key, value in step.fields.items())}" if step.fields else ""
            raise Unmet(
                f"expected within {step.within_s:g} s {step.times} {step.pdu}{like}; seen: {len(found)} like that, "
                f"and {sum(one.name == step.pdu for one in self._pdus) - len(found)} other(s)"
            )
        self._pdus = [one for one in self._pdus if all(one is not each for each in found)]
        return f"the gateway has sent {step.pdu} {_times(len(found))}"

    async def _expect_quiet(self, step: steps.ExpectQuiet) -> str:
        await asyncio.sleep(step.for_s)
        if self._mts:
            raise Unmet(f"expected no further message; seen: {len(self._mts)}: {_shown(self._mts[0])}")
        return "no further message"

    async def _deliver(self, step: Deliver) -> str:
        source, to = self._fill(step.source), self._fill(step.to)
        self._references += step.reference is None
        reference = self._references if step.reference is None else step.reference
        text = self._fill(step.text)
        sources = [str(int(source) + index) if step.apart else source for index in range(step.times)]
        built = [messages.build(step, each, to, text, reference) for each in sources]
        answers = [self._smsc.deliver_raw(*pdus) for pdus in built]
        self._answers[step.name or f"#{len(self._answers)}"] = answers[-1]
        self._subscriber = source
        more = (", each from another number" if step.apart else f", {_times(step.times)}") if step.times > 1 else ""
        return f"{source} to {to}: {step.form}, {len(built[0])} part(s), data_coding {built[0][0].data_coding}{more}"

    async def _alert(self, step: steps.Alert) -> str:
        self._smsc.alert(self._fill(step.source))
        return f"alert_notification: {self._fill(step.source)} can be reached again"

    async def _receipts(self, step: steps.Receipts) -> str:
        self._smsc.dialect = Dialect(**{name: getattr(step, name) for name in Dialect.__struct_fields__})
        return "receipts are written in another way from now on"

    async def _offer(self, step: steps.Offer) -> str:
        self._smsc.ledger.offered = frozenset(step.operations)
        return f"offered from now on: {', '.join(step.operations) or 'nothing'}"

    def _fault(self, step: Any) -> str:
        self._smsc.misbehave(_FAULTS[type(step)](step, getattr(step, "times", 0) or None))
        return (
            f"{steps.word(step)}, from now on"
            if not getattr(step, "times", 0)
            else f"{steps.word(step)}, {_times(step.times)}"
        )

    async def _behave(self, _: steps.Behave) -> str:
        self._smsc.behave()
        return "everything is as it should be from now on"

    async def _drop(self, _: steps.Drop) -> str:
        self._smsc.drop()
        return "every connection is broken"

    async def _close(self, _: steps.Close) -> str:
        self._smsc.close()
        return "every connection is broken, and nobody listens any more"

    async def _open(self, _: steps.Open) -> str:
        return f"listening on port {await self._smsc.start()}"

    async def _unbind(self, _: steps.Unbind) -> str:
        self._smsc.unbind()
        return "unbind is asked for"

    async def _hang(self, _: steps.Hang) -> str:
        self._smsc.misbehave(faults.HANG)
        return "the connections hang"

    async def _write(self, step: steps.Write) -> str:
        octets = bytes.fromhex(step.octets)
        self._smsc.misbehave(faults.Octets(octets=octets))
        return f"{len(octets)} octets are written as they are"

    async def _outbind(self, step: steps.Outbind) -> str:
        (host, port), deadline = self._place.gateway, asyncio.get_running_loop().time() + step.within_s
        while True:
            try:
                await self._smsc.outbind(host, port, step.system_id, step.password)
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline:
                    reason = error.strerror or error
                    raise Unmet(f"expected a gateway on {host}:{port} (--gateway); seen: {reason}") from None
                await asyncio.sleep(_AGAIN_S)
            else:
                return f"outbind to {host}:{port}"

    async def _wait(self, step: steps.Wait) -> str:
        await asyncio.sleep(step.seconds)
        return f"{step.seconds:g} s later"


_FAULTS: Final[dict[type[Any], Callable[[Any, int | None], faults.Fault]]] = {
    steps.RefuseBinds: lambda step, times: faults.RefuseBinds(status=status_code(step.status), times=times),
    steps.NoAnswers: lambda _, times: faults.NoAnswers(times=times),
    steps.ErrorAnswers: lambda step, times: faults.ErrorAnswers(
        status=status_code(step.status), times=times, form=step.form
    ),
    steps.Throttle: lambda step, _: faults.Throttling(per_second=step.per_second, status=status_code(step.status)),
    steps.SlowAnswers: lambda step, times: faults.SlowAnswers(delay_ms=int(step.delay_s * 1000), times=times),
    steps.DoubleAnswers: lambda _, times: faults.RepeatedAnswers(times=times),
    steps.ShuffledAnswers: lambda step, times: faults.ShuffledAnswers(together=step.together, times=times),
    steps.Duplicates: lambda _, times: faults.Duplicates(times=times),
    steps.Redeliveries: lambda _, times: faults.Redeliveries(times=times),
    steps.LoseAnswers: lambda step, times: faults.Drops(after_pdus=step.after_pdus, times=times),
}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _shown(message: SubmittedMessage) -> str:
    text = "(not text)" if message.text is None else message.text
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"{message.source} to {message.destination}: {text}"


def _has(pdu: Pdu, fields: dict[str, str | int]) -> bool:
    return all(_plain(getattr(pdu, name)) == value for name, value in fields.items())


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
