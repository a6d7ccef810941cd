"""A payment's page: how it stands in words, live, and the way back with a proof."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from smsgw.errors import StoreUnavailable
from smsgw.flows.payments.whose import STAFF
from smsgw.store import service_keys
from smsgw.web.checkout import status as module
from tests.flows.payments.market import MO_PHONE, PHONE
from tests.flows.world import receipt
from tests.servers.engines import Engine
from tests.web.checkout.counter import Counter, counter


class Stream:
    """The events of one page."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._lines = response.content

    async def next(self) -> dict[str, Any]:
        """Return the next state; EOFError at the end."""
        async with asyncio.timeout(10):
            async for octets in self._lines:
                line = octets.decode().strip()
                if line.startswith("data: "):
                    told: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    return told
        raise EOFError


def heading(page: str) -> str:
    return page.split('<h1 id="title" tabindex="-1">')[1].split("</h1>", maxsplit=1)[0]


async def paid(one: Counter) -> str:
    """Pay; return the page's address."""
    place = await one.page(reference="order-1", state="a b&c")
    await one.one.accept()
    await one.one.say("YES")
    [bill] = one.one.ready()
    one.one.outboxes["north"].accepted(bill, "A7")
    await one.one.settle()
    await one.one.sms(link="north", pdu=receipt("A7", source_addr=PHONE, destination_addr="7250"))
    return place


async def test_the_page_says_how_the_payment_stands(engine: Engine) -> None:
    async with counter(engine) as one:
        place = await one.page()
        assert heading((await one.get(place)).text) == "Sending the SMS …"
        await one.one.accept()
        page = (await one.get(place)).text
        assert heading(page) == "Answer YES on your phone"
        for words in ("€2.50", "250 gold", "7700", "+359\xa088\xa0•••\xa067", "sms:7700?body=YES", "15 minutes"):
            assert words in page, words
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
        await one.one.say("YES")
        assert heading((await one.get(place)).text) == "Confirmed. Charging …"
        [bill] = one.one.ready()
        one.one.outboxes["north"].accepted(bill, "A7")
        await one.one.settle()
        await one.one.sms(link="north", pdu=receipt("A7", source_addr=PHONE, destination_addr="7250"))
        page = (await one.get(place)).text
        assert heading(page) == "Paid"
        assert "http-equiv" not in page


async def test_nobody_guesses_a_page(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        for other in (place[:-1], place[:-1] + ("A" if place[-1] != "A" else "B"), "/pay/p/x", "/pay/p/" + "0" * 26):
            for path in (other, f"{other}/state", f"{other}/events", f"{other}/return"):
                assert (await one.get(path)).status == 404
            assert (await one.ask("POST", f"{other}/cancel")).status == 404


@pytest.mark.parametrize(
    ("answer", "title", "more"),
    [
        ("NO", "You declined the payment", "Nothing was charged."),
        ("STOP", "You declined the payment", "Nothing was charged."),
        (None, "Time ran out", "Nothing was charged."),
    ],
)
async def test_other_ends_say_that_nothing_was_charged(
    sqlite: Engine, answer: str | None, title: str, more: str
) -> None:
    async with counter(sqlite) as one:
        place = await one.page(reference="order-1")
        await one.one.accept()
        if answer is None:
            await one.one.later(1_100)
        else:
            await one.one.say(answer)
        page = (await one.get(place)).text
        assert heading(page) == title
        assert more in page
        assert "reference=order-1" in page, "and the order can be tried again"


async def test_an_unknown_charge_is_not_to_be_paid_again(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        await one.one.accept()
        await one.one.say("YES")
        [bill] = one.one.ready()
        one.one.outboxes["north"].unanswered(bill)
        await one.one.settle()
        page = (await one.get(place)).text
        assert heading(page) == "Waiting for your operator"
        assert "Please don’t pay again" in page
        assert "Nothing was charged" not in page
        assert "Try again" not in page
        assert (await one.get(f"{place}/return")).headers["Location"].startswith("https://gold.example/back?rt=")


async def test_where_the_answer_costs_money_the_page_says_so(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page(number=f"+{MO_PHONE}")
        await one.one.accept("south")
        page = (await one.get(place)).text
        assert "Your reply costs UAH\xa025.00; that is the payment." in page
        assert "sms:7025?body=YES" in page


async def test_what_an_answer_has_cost_is_not_denied_when_it_has_been_settled(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page(number=f"+{MO_PHONE}")
        await one.one.accept("south")
        await one.one.say("NO", MO_PHONE, "7025", "south")
        page = (await one.get(place)).text
        assert "Your operator has taken money all the same. Gold will settle it." in page
        assert "Nothing was charged" not in page
        payment = f"pay_{place.removeprefix('/pay/p/').partition('-')[0]}"
        await one.one.resolver.resolve(payment, "settled", actor="me", note="by bank")
        page = (await one.get(place)).text
        assert "has taken money" not in page
        assert "Nothing was charged" not in page


async def test_what_went_back_is_not_said_to_have_never_been_charged(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        await one.one.accept()
        await one.one.say("YES")
        [bill] = one.one.ready()
        one.one.outboxes["north"].accepted(bill, "A1")
        await one.one.settle()
        await one.one.sms(link="north", pdu=receipt("A1", "UNDELIV", source_addr=PHONE, destination_addr="7250"))
        await one.one.sms(link="north", pdu=receipt("A1", source_addr=PHONE, destination_addr="7250"))
        payment = f"pay_{place.removeprefix('/pay/p/').partition('-')[0]}"
        await one.one.payments.refund(payment, None, whose=STAFF, reason="late", actor="me")
        page = (await one.get(place)).text
        assert heading(page) == "The payment didn’t go through"
        assert "€2.50 was refunded" in page
        assert "Nothing was charged" not in page


async def test_the_language_of_the_answer_is_the_question_s(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        fields = await one.fields("/pay/gold?product=gold-250&lang=bg")
        sent = await one.ask("POST", "/pay/gold", data={**fields, "number": "0881234567"})
        place = sent.headers["Location"]
        await one.one.accept()
        page = (await one.get(f"{place}?lang=en")).text
        assert heading(page) == "Answer ДА on your phone"
        assert '<p class="word" lang="bg">ДА</p>' in page


async def test_a_buyer_cancels_what_nobody_has_confirmed(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        await one.one.accept()
        canceled = await one.ask("POST", f"{place}/cancel")
        assert (canceled.status, canceled.headers["Location"]) == (303, place)
        assert heading((await one.get(place)).text) == "Canceled"
        assert (await one.ask("POST", f"{place}/cancel")).status == 303, "again changes nothing"


async def test_what_was_confirmed_cannot_be_canceled(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        await one.one.accept()
        await one.one.say("YES")
        assert (await one.ask("POST", f"{place}/cancel")).status == 303
        assert heading((await one.get(place)).text) == "Confirmed. Charging …"


async def test_the_way_back_carries_a_signed_token_of_its_own_kind(engine: Engine) -> None:
    async with counter(engine) as one:
        place = await paid(one)
        answer = await one.get(f"{place}/return")
        assert answer.status == 303
        target = urlsplit(answer.headers["Location"])
        assert f"{target.scheme}://{target.netloc}{target.path}" == "https://gold.example/back"
        fields = {name: values[0] for name, values in parse_qs(target.query).items()}
        assert fields["state"] == "a b&c"
        async with one.one.database.read() as reader:
            rows = await service_keys.live(reader, "return", one.one.clock.now_ms())
        [key] = [row for row in rows if row.service == "gold"]
        secret = one.one.ports.vault.open(key.sealed, key.id, key.key_id)
        token = jws.deserialize_compact(fields["rt"], OctKey.import_key(secret), algorithms=["HS256"])
        assert token.headers() == {"alg": "HS256", "kid": key.id, "typ": "smsgw-payment+jws"}
        [(payment,)] = await one.one.rows("payments", "id")
        now_s = one.one.clock.now_ms() // 1000
        assert msgspec.json.decode(token.payload) == {
            "iss": "smsgw",
            "aud": "gold",
            "jti": payment,
            "outcome": "succeeded",
            "product": "gold-250",
            "units": 250,
            "amount_minor": 250,
            "currency": "EUR",
            "merchant_reference": "order-1",
            "state": "a b&c",
            "test": False,
            "iat": now_s,
            "exp": now_s + 300,
        }


async def test_nobody_goes_back_before_the_end(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        assert (await one.get(f"{place}/return")).headers["Location"] == place


async def test_a_page_is_told_of_each_change_until_the_end(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        url = f"http://127.0.0.1:{one.server.port}{place}/events?lang=bg"
        async with one.session.get(url) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            stream = Stream(response)
            assert (await stream.next())["status"] == "created"
            await one.one.accept()
            told = await stream.next()
            assert (told["status"], told["final"]) == ("awaiting_confirmation", False)
            assert told["title"] == "Отговорете с YES от телефона си"
            await one.one.say("NO")
            told = await stream.next()
            assert (told["status"], told["final"], told["mood"]) == ("declined", True, "calm")
            with pytest.raises(EOFError):
                await stream.next()


async def test_what_another_node_does_is_seen_too(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    async with counter(sqlite) as one:
        place = await one.page()
        one.one.payments._followers.clear()  # nobody rings
        async with one.session.get(f"http://127.0.0.1:{one.server.port}{place}/events") as response:
            stream = Stream(response)
            await stream.next()
            await one.ask("POST", f"{place}/cancel")
            assert (await stream.next())["status"] == "canceled"


async def test_where_streams_do_not_get_through_the_script_asks(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        told = json.loads((await one.get(f"{place}/state")).text)
        assert (told["status"], told["final"]) == ("created", False)


async def test_streams_are_bounded_and_those_that_have_ended_do_not_count(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 2)
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    async with counter(sqlite) as one:
        url = f"http://127.0.0.1:{one.server.port}{await one.page()}/events"
        tabs = [await one.session.get(url) for _ in range(3)]
        assert [tab.status for tab in tabs] == [200, 200, 503]
        for tab in tabs:
            tab.close()
        async with asyncio.timeout(5):
            while True:
                async with one.session.get(url) as response:
                    if response.status == 200:
                        break
                await asyncio.sleep(0.02)


async def test_open_streams_do_not_hold_up_the_stop(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        url = f"http://127.0.0.1:{one.server.port}{await one.page()}/events"
        async with one.session.get(url) as response:
            await Stream(response).next()
            began = asyncio.get_running_loop().time()
            await one.server.stop()
            assert asyncio.get_running_loop().time() - began < 2


async def test_what_is_said_stands_in_each_language(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await paid(one)
        for language, title in (("en", "Paid"), ("bg", "Платено"), ("uk", "Сплачено"), ("ru", "Оплачено")):
            assert heading((await one.get(f"{place}?lang={language}")).text) == title


async def test_when_it_cannot_be_shown_nobody_is_told_to_pay_again(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        for error, status in ((StoreUnavailable("away"), 503), (RuntimeError("surprise"), 500)):

            async def broken(*_: object, error: Exception = error) -> None:
                raise error

            monkeypatch.setattr(one.one.payments, "get", broken)
            answer = await one.get(place)
            assert answer.status == status
            assert "please don’t pay again" in answer.text
            assert "surprise" not in answer.text
            assert (await one.get(f"{place}/events")).status == status
