"""Phones that live in browsers: each has a random number, sends messages by the operator and keeps the last ones."""

import asyncio
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

import msgspec

from smsgw.demo.feed import Feed
from smsgw.simulator.prompts import quoted

TEXT_LIMIT = 1600  # characters of one message, about ten parts
HISTORY_LIMIT = 50  # messages kept for one phone
PHONES_LIMIT = 1000  # phones switched on at a time
WAITING_LIMIT = 10  # messages of one phone that the gateway has not taken yet
LISTENERS_LIMIT = 8  # browser tabs that show one phone

# Capitals and digits: with a digit, or long, as few words of an answer are written; not a date, not an amount.
CODE_PATTERN = (
    r"(?<![\w.,:+-])(?!\d{4}-\d\d-\d\d)"
    r"(?:(?=[A-Z0-9-]*\d)[A-Z0-9]{4,}(?:-[A-Z0-9]{2,})*|[A-Z]{6,})"
    r"(?![\w-])(?![.,:]\d)"
)

State = Literal["sending", "delivered", "refused", "received"]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One bubble on the screen."""

    id: int
    text: str
    at_ms: int
    state: State
    code: str | None = None  # what the message says to type on the merchant's page, as it is written there
    answer: str | None = None  # the word that it asks for
    reply_ms: int | None = None  # of a first answer: time since the message that it answers


class Deliver(Protocol):
    """The operator's side: takes a message from a phone, and promises the gateway's final answer to it."""

    def __call__(self, source: str, destination: str, text: str) -> asyncio.Future[int]:
        """Return a future of the command_status, 0 when the gateway took the message."""
        ...


class PhoneBusy(Exception):  # noqa: N818 - a state of the phone that its user is told, not a fault
    """Too many messages of this phone wait for the gateway."""


class Phone:
    """One phone with its number and its conversation with the short code."""

    def __init__(self, msisdn: str, *, short_code: str, deliver: Deliver, now_ms: Callable[[], int]) -> None:
        self.msisdn = msisdn
        self.messages: Feed[Message] = Feed(HISTORY_LIMIT)
        self._short_code = short_code
        self._deliver = deliver
        self._now_ms = now_ms
        self.state = secrets.token_hex(16)  # tells the merchant's site which browser brings a proof
        self.inside_until_ms = 0  # until when the merchant's site lets this browser in
        self.gold = 0  # what this browser has bought at the gold shop
        self.news = ""  # what came of its latest payment there; shown once
        self._last_id = 0
        self._waiting = 0
        self._asked_at_ms: int | None = None

    def send(self, text: str) -> Message:
        """Hand the message to the operator; how it fared shows as its changed state in ``messages``.

        Raises:
            PhoneBusy: ten messages of this phone wait already.
        """
        if self._waiting >= WAITING_LIMIT:
            raise PhoneBusy
        message = Message(id=self._next_id(), text=text, at_ms=self._now_ms(), state="sending")
        self.messages.put(message.id, message)
        self._asked_at_ms = message.at_ms
        self._waiting += 1
        future = self._deliver(self.msisdn, self._short_code, text)
        future.add_done_callback(partial(self._answered, message))
        return message

    def receive(self, text: str, code: str | None, answer: str | None = None) -> None:
        """Show a message that came in, with what it says to be typed: a code on a page, or an answer to itself."""
        now_ms = self._now_ms()
        reply_ms = None if self._asked_at_ms is None else now_ms - self._asked_at_ms
        self._asked_at_ms = None
        message = Message(
            id=self._next_id(), text=text, at_ms=now_ms, state="received", code=code, answer=answer, reply_ms=reply_ms
        )
        self.messages.put(message.id, message)

    def _answered(self, message: Message, future: asyncio.Future[int]) -> None:
        self._waiting -= 1
        taken = not future.cancelled() and future.exception() is None and future.result() == 0
        state: State = "delivered" if taken else "refused"
        self.messages.replace(message.id, msgspec.structs.replace(message, state=state))

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id


class Phones:
    """Every phone of the demo, by the secret in its browser's cookie and by its number; the longest unused ones go."""

    def __init__(
        self,
        deliver: Deliver,
        *,
        short_code: str,
        now_ms: Callable[[], int],
        prefix: str = "35988",
        code_pattern: str = CODE_PATTERN,
    ) -> None:
        self._deliver = deliver
        self._short_code = short_code
        self._now_ms = now_ms
        self._prefix = prefix  # country and operator; seven random digits follow
        self._code = re.compile(code_pattern)
        self._by_key: OrderedDict[str, Phone] = OrderedDict()
        self._by_msisdn: dict[str, Phone] = {}

    def find(self, key: str) -> Phone | None:
        """Return the phone that belongs to the cookie's secret, if it is still switched on."""
        phone = self._by_key.get(key)
        if phone is not None:
            self._by_key.move_to_end(key)
        return phone

    def switch_on(self) -> tuple[str, Phone] | None:
        """A new phone and the secret that finds it again; None when every phone is in use by an open page."""
        if len(self._by_key) >= PHONES_LIMIT and not self._drop_unused():
            return None
        msisdn = self._free_number()
        phone = Phone(msisdn, short_code=self._short_code, deliver=self._deliver, now_ms=self._now_ms)
        key = secrets.token_urlsafe(18)
        self._by_key[key] = self._by_msisdn[msisdn] = phone
        return key, phone

    def receive(self, msisdn: str, text: str) -> bool:
        """Show a message on the phone with this number; False when there is none."""
        phone = self._by_msisdn.get(msisdn.removeprefix("+"))
        if phone is None:
            return False
        question = quoted(text)
        found = (match[0] for match in self._code.finditer(text)) if question is None else iter(())
        code = next((code for code in found if code != self._short_code), None)
        phone.receive(text, code, None if question is None else question.yes)
        return True

    def hang_up(self) -> None:
        """Wake every open page, so that it notices that the demo ends."""
        for phone in self._by_key.values():
            phone.messages.ring()

    def _drop_unused(self) -> bool:
        for key, phone in self._by_key.items():
            if not phone.messages.watched:
                del self._by_key[key], self._by_msisdn[phone.msisdn]
                return True
        return False

    def _free_number(self) -> str:
        while (msisdn := f"{self._prefix}{secrets.randbelow(10**7):07}") in self._by_msisdn:
            pass
        return msisdn
