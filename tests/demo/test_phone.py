"""Phones of the demo: each has its number and its conversation, and there are never too many of anything."""

import asyncio
from collections.abc import Callable

import pytest

from smsgw.demo import phone as module
from smsgw.demo.phone import Message, Phone, PhoneBusy, Phones
from smsgw.kit.clock import ManualClock

SHORT_CODE = "1234"


class Operator:
    """Takes messages and answers them when the test says so."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []
        self.futures: list[asyncio.Future[int]] = []

    def deliver(self, source: str, destination: str, text: str) -> asyncio.Future[int]:
        self.taken.append((source, destination, text))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


class Shop:
    """Phones with their operator and clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.operator = Operator()
        self.phones = Phones(self.operator.deliver, short_code=SHORT_CODE, now_ms=self.clock.now_ms)

    def phone(self) -> tuple[str, Phone]:
        new = self.phones.switch_on()
        assert new is not None
        return new


@pytest.fixture
def shop() -> Shop:
    return Shop()


def messages(phone: Phone) -> list[Message]:
    return phone.messages.since(0)[0]


async def test_a_message_goes_to_the_operator_and_shows_how_it_fares(shop: Shop) -> None:
    _, phone = shop.phone()
    phone.send("SUN")
    assert shop.operator.taken == [(phone.msisdn, SHORT_CODE, "SUN")]
    assert [(one.text, one.state) for one in messages(phone)] == [("SUN", "sending")]
    shop.operator.futures[0].set_result(0)
    await asyncio.sleep(0)
    assert [one.state for one in messages(phone)] == ["delivered"]


@pytest.mark.parametrize(
    "end",
    [
        lambda future: future.set_result(0x64),
        lambda future: future.cancel(),
        lambda future: future.set_exception(OSError()),
    ],
    ids=["error", "stopped", "broken"],
)
async def test_a_message_that_was_not_taken_says_so(shop: Shop, end: Callable[[asyncio.Future[int]], None]) -> None:
    _, phone = shop.phone()
    phone.send("SUN")
    end(shop.operator.futures[0])
    await asyncio.sleep(0)
    assert [one.state for one in messages(phone)] == ["refused"]


async def test_an_answer_tells_its_code_and_how_long_it_took(shop: Shop) -> None:
    _, phone = shop.phone()
    phone.send("SUN")
    shop.clock.advance(12)
    assert shop.phones.receive(f"+{phone.msisdn}", "Your code is K7XM2P9A.")
    assert shop.phones.receive(phone.msisdn, "Thank you!")
    _, code, thanks = messages(phone)
    assert (code.text, code.state, code.code, code.reply_ms) == (
        "Your code is K7XM2P9A.",
        "received",
        "K7XM2P9A",
        12,
    )
    assert (thanks.code, thanks.reply_ms) == (None, None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Code: 483920. Valid 24 h.", "483920"),
        ("K7XM-2P9A opens the door", "K7XM-2P9A"),
        ("Send SUN to 1234, your code: 98765", "98765"),
        ("Valid until 2026-11-23 14:30, code AB3DE", "AB3DE"),
        ("It costs 1250.00 EUR or 1200,50 BGN", None),
        ("Call +359888123456", None),
        ("access code is KXMPRTWH. Valid", "KXMPRTWH"),
        ("NO SUCH WORD. SEND HELP.", None),
        ("Код: Ж7Ю2Щ9ЯФ", None),
        ("", None),
    ],
)
def test_a_code_is_recognised_as_such(shop: Shop, text: str, code: str | None) -> None:
    _, phone = shop.phone()
    shop.phones.receive(phone.msisdn, text)
    assert [one.code for one in messages(phone)] == [code]


def test_the_services_own_pattern_decides_where_there_is_one() -> None:
    operator, clock = Operator(), ManualClock()
    phones = Phones(operator.deliver, short_code=SHORT_CODE, now_ms=clock.now_ms, code_pattern=r"\b[A-Z]{6}\b")
    new = phones.switch_on()
    assert new is not None
    phones.receive(new[1].msisdn, "Code KXMPRT until 2027")
    assert messages(new[1])[0].code == "KXMPRT"


def test_a_message_for_a_number_that_nobody_has_is_not_shown(shop: Shop) -> None:
    shop.phone()
    assert not shop.phones.receive("359880000000000", "hello")


def test_a_phone_is_found_by_its_secret_and_by_nothing_else(shop: Shop) -> None:
    key, phone = shop.phone()
    assert shop.phones.find(key) is phone
    assert shop.phones.find(phone.msisdn) is None
    assert shop.phones.find("") is None
    assert len({shop.phone()[1].msisdn for _ in range(50)}) == 50
    assert len(phone.msisdn) == 12
    assert phone.msisdn.startswith("35988")


async def test_only_so_many_messages_wait_at_a_time(shop: Shop) -> None:
    _, phone = shop.phone()
    for _ in range(module.WAITING_LIMIT):
        phone.send("SUN")
    with pytest.raises(PhoneBusy):
        phone.send("SUN")
    shop.operator.futures[0].set_result(0)
    await asyncio.sleep(0)
    phone.send("SUN")


async def test_an_old_conversation_is_forgotten_from_its_beginning(shop: Shop) -> None:
    _, phone = shop.phone()
    phone.send("first")
    for number in range(module.HISTORY_LIMIT):
        shop.phones.receive(phone.msisdn, f"answer {number}")
    shop.operator.futures[0].set_result(0)
    await asyncio.sleep(0)
    texts = [one.text for one in messages(phone)]
    assert (len(texts), texts[0], texts[-1]) == (module.HISTORY_LIMIT, "answer 0", f"answer {module.HISTORY_LIMIT - 1}")


def test_the_longest_unused_phone_goes_when_there_are_too_many(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PHONES_LIMIT", 3)
    (first, open_phone), (second, _), (third, unused) = (shop.phone() for _ in range(3))
    with open_phone.messages.watched_by(asyncio.Event()):
        shop.phones.find(second)
        fourth, _ = shop.phone()
        assert shop.phones.find(third) is None
        assert not shop.phones.receive(unused.msisdn, "hello")
        assert None not in [shop.phones.find(key) for key in (first, second, fourth)]


def test_a_phone_that_is_looked_at_is_never_taken_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PHONES_LIMIT", 1)
    key, phone = shop.phone()
    with phone.messages.watched_by(asyncio.Event()):
        assert shop.phones.switch_on() is None
    assert shop.phones.switch_on() is not None
    assert shop.phones.find(key) is None
