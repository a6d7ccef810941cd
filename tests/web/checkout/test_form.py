"""The checkout's form: what is sold at which price, what is refused with which sentence, and what is made once only."""

import io
import re

import aiohttp
import pytest
from msgspec import structs
from yarl import URL

from smsgw.settings import Payments, Web
from smsgw.web.checkout import crowds, routes
from tests.flows.payments.market import GOLD, OTHER, PHONE
from tests.servers.engines import Engine
from tests.web.checkout.counter import OPEN, Counter, complaint, counter, hidden


async def test_two_pages_the_goods_then_the_number(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        goods = await one.get("/pay/gold?reference=a-1&state=x%20y")
        assert goods.status == 200
        assert "250 gold" in goods.text
        assert "UAH\xa025.00" in goods.text, "it costs something else at the other operator"
        assert 'name="number"' not in goods.text
        [address, *_] = re.findall(r'class="choice" href="([^"]+)"', goods.text)
        number = await one.get(address.replace("&amp;", "&"))
        assert 'name="number"' in number.text
        carried = hidden(number.text)
        assert carried["reference"] == "a-1"
        assert (carried["product"], carried["state"]) == ("gold-250", "x y")


async def test_one_page_has_both(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        page = (await one.get("/pay/gold?layout=one_page")).text
        assert page.count('type="radio"') == 3
        assert 'name="number"' in page
    async with counter(sqlite, structs.replace(OPEN, checkout="one_page")) as one:
        assert (await one.get("/pay/gold")).text.count('type="radio"') == 3
        assert 'type="radio"' not in (await one.get("/pay/gold?layout=two_pages")).text


async def test_who_sends_the_form_gets_the_payment_s_page_and_the_phone_its_question(engine: Engine) -> None:
    async with counter(engine) as one:
        place = await one.page(reference="order-1", state="basket")
        assert re.fullmatch(r"/pay/p/[0-9a-z]{26}-[0-9A-Za-z_-]{20}", place)
        assert await one.payments() == [("order-1", PHONE, 250, "created")]
        assert [message.row.destination for message in await one.one.accept()] == [PHONE]
        page = await one.get(place)
        assert "Answer YES on your phone" in page.text
        assert PHONE not in page.text
        assert "881234567" not in page.text


async def test_a_form_is_one_payment_however_often_it_is_sent(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        fields = {**await one.fields(), "number": "0881234567"}
        places = {(await one.ask("POST", "/pay/gold", data=fields)).headers["Location"] for _ in range(3)}
        assert len(places) == 1
        assert len(await one.payments()) == 1


async def test_the_client_changes_no_price(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        await one.page(amount_minor="1", price="0.01", tariff="uah", currency="UAH", units="1000000")
        assert [row[2] for row in await one.payments()] == [250]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"number": ""}, "Please enter your phone number."),
        ({"number": "  "}, "Please enter your phone number."),
        ({"number": "0888"}, "That is not a complete phone number. Please enter it like this: +359 88 123 4567"),
        ({"number": "x" * 5000}, "That is not a complete phone number. Please enter it like this: +359 88 123 4567"),
        (
            {"number": "+49 151 23456789"},
            "This number’s operator doesn’t offer this payment yet. Is the number correct?",
        ),
        (
            {"number": "+380671234567", "product": "gold-500"},
            "Your operator doesn’t offer this product. Please choose another one.",
        ),
        ({"product": "ring"}, "Please choose one of these."),
        ({"token": "AAAA"}, "This page was open too long, or your browser blocks cookies. Please try once more."),
        ({"key": ""}, "This page was open too long, or your browser blocks cookies. Please try once more."),
    ],
)
async def test_a_refusal_is_one_sentence_and_nothing_typed_is_lost(
    sqlite: Engine, changes: dict[str, str], sentence: str
) -> None:
    async with counter(sqlite) as one:
        answer = await one.send("/pay/gold?product=gold-250&layout=one_page&state=s&reference=r", **changes)
        assert answer.status in {422, 403}
        assert complaint(answer.text) == sentence
        assert answer.text.count("autofocus") == 1
        assert hidden(answer.text)["state"] == "s"
        assert hidden(answer.text)["reference"] == "r"
        typed = changes.get("number", "0881 234 567")[:60]
        assert f'value="{typed}"' in answer.text
        assert await one.payments() == []


async def test_a_phone_that_is_asked_already_is_not_asked_again(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page()
        again = await one.send()
        assert complaint(again.text).startswith("Another payment is waiting for an answer on this phone.")
        assert f'href="{place}"' in again.text, "this browser's own payment is one link away"


async def test_too_many_questions_and_blocked_phones(sqlite: Engine) -> None:
    async with counter(sqlite, limits=Payments(prompts_per_number=1, blocked=[OTHER])) as one:
        await one.ask("POST", (await one.page()) + "/cancel")
        assert complaint((await one.send()).text).startswith("We have sent several messages to this number")
        assert complaint((await one.send(number=f"+{OTHER}")).text).startswith("This phone has opted out")


async def test_an_order_may_be_tried_again_once_its_tries_have_ended_and_took_no_money(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        place = await one.page(reference="order-1")
        other = await one.send(number=f"+{OTHER}", reference="order-1")
        assert complaint(other.text).startswith("A payment for this order is already waiting")
        await one.ask("POST", f"{place}/cancel")
        await one.page(number=f"+{OTHER}", reference="order-1")
        await one.one.accept()
        await one.one.say("YES", msisdn=OTHER)
        assert [row[0] for row in await one.payments()] == ["order-1", "order-1~2"]
        paid = await one.send(reference="order-1")
        assert complaint(paid.text).startswith("This order is already paid, or its payment is being processed.")


async def test_a_number_is_remembered_when_its_phone_has_said_yes(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        await one.page(remember="1")
        again = "/pay/gold?product=gold-500"
        assert 'name="number"' in (await one.get(again)).text, "nobody has confirmed it yet"
        await one.one.accept()
        await one.one.say("YES")
        page = (await one.get(again)).text
        assert "Pay with +359\xa088\xa0•••\xa067" in page
        assert 'name="number"' not in page
        assert "€5.00" in page
        sent = await one.ask("POST", "/pay/gold", data={**hidden(page), "do": "pay"})
        assert sent.status == 303
        assert [row[1] for row in await one.payments()] == [PHONE, PHONE]
        other = await one.ask("POST", "/pay/gold", data={**hidden(page), "do": "other"})
        assert 'name="number"' in other.text
        assert hidden(other.text)["other"] == "1"
        forgotten = await one.ask("POST", "/pay/gold", data={**hidden(page), "do": "forget"})
        assert "The number is forgotten." in forgotten.text
        assert 'name="number"' in (await one.get(again)).text
        assert await one.one.rows("methods", "removed_ms is null as live") in ([(0,)], [(False,)])


async def test_a_remembered_number_is_asked_for_again_after_a_while(sqlite: Engine) -> None:
    async with counter(sqlite, structs.replace(OPEN, verify_number_days=30)) as one:
        await one.page(remember="1")
        await one.one.accept()
        await one.one.say("YES")
        one.one.clock.advance(31 * 86_400_000)
        assert 'name="number"' in (await one.get("/pay/gold?product=gold-250")).text


async def test_a_merchant_may_have_nothing_remembered(sqlite: Engine) -> None:
    async with counter(sqlite, structs.replace(OPEN, remember_numbers=False)) as one:
        assert 'name="remember"' not in (await one.get("/pay/gold?product=gold-250")).text
        await one.page(remember="1")
        assert await one.one.count("methods") == 0


@pytest.mark.parametrize("cookie", ["", "x", "pm_" + "0" * 26 + "." + "0" * 26 + "." + "A" * 20])
async def test_what_somebody_makes_up_is_no_remembered_number(sqlite: Engine, cookie: str) -> None:
    async with counter(sqlite) as one:
        one.session.cookie_jar.update_cookies({"pay_number_gold": cookie}, URL("http://127.0.0.1"))
        assert 'name="number"' in (await one.get("/pay/gold?product=gold-250")).text


async def test_who_types_somebody_s_number_gets_nothing_that_lasts(sqlite: Engine) -> None:
    async with counter(sqlite) as one, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await one.page(remember="1")
        await one.one.accept()
        await one.one.say("YES")
        stranger = Counter(one.one, one.server, session)
        place = await stranger.page(remember="1")
        await one.one.accept()
        await one.one.say("NO")
        assert 'name="number"' in (await stranger.get("/pay/gold?product=gold-250")).text
        assert "Pay with" in (await one.get("/pay/gold?product=gold-250")).text
        assert "Pay with" not in (await stranger.get(place)).text


async def test_a_merchant_who_is_not_open_begins_payments_himself(sqlite: Engine) -> None:
    async with counter(sqlite, GOLD) as one:
        closed = await one.get("/pay/gold")
        assert closed.status == 403
        assert "Gold starts payments from its own site" in closed.text
        assert (await one.ask("POST", "/pay/gold", data={"number": "0881234567"})).status == 403
        assert (await one.get("/pay/nobody")).status == 404


@pytest.mark.parametrize(
    "query", ["state=" + "x" * 513, "state=%00", "reference=a~2", "reference=%D0%B0", "reference=a%20b"]
)
async def test_what_cannot_be_kept_is_refused_at_the_beginning(sqlite: Engine, query: str) -> None:
    async with counter(sqlite) as one:
        assert (await one.get(f"/pay/gold?product=gold-250&{query}")).status == 400


async def test_a_form_of_another_site_begins_nothing(sqlite: Engine) -> None:
    async with counter(sqlite) as one, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        fields = await one.fields()
        foreign = Counter(one.one, one.server, session)
        answer = await foreign.ask("POST", "/pay/gold", data={**fields, "number": "0881234567"})
        assert answer.status == 403
        assert await one.payments() == []


async def test_numbers_are_handed_in_only_so_often(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "VISITOR_AT_ONCE", 2)
    proxied = Web(port=0, proxies=["127.0.0.1"])
    async with counter(sqlite, settings=proxied, limits=Payments(prompts_per_number=100)) as one:
        answers = []
        for address in ("198.51.100.1", "198.51.100.1", "198.51.100.1", "198.51.100.2"):
            fields = {**await one.fields(), "number": "0881234567"}
            headers = {"X-Forwarded-For": address}
            answers.append(await one.ask("POST", "/pay/gold", data=fields, headers=headers))
        assert [answer.status for answer in answers] == [303, 422, 429, 422]
        assert complaint(answers[2].text).startswith("That was too many tries")


def test_one_household_is_one_visitor_and_not_everybody_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "VISITOR_AT_ONCE", 1)
    monkeypatch.setattr(crowds, "_MOST", 2)
    found = crowds.Crowds()
    assert found.may("2001:db8::1", "gold", 0)
    assert not found.may("2001:db8::2", "gold", 0)
    assert found.may("2001:db8:0:1::1", "gold", 0)
    assert found.may("192.0.2.1", "gold", 0)
    assert found.may("2001:db8::1", "gold", 0), "forgotten meanwhile"


async def test_when_the_store_is_away_the_form_comes_back(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        fields = {**await one.fields(), "number": "0881 234 567"}
        one.one.database.open.clear()
        answer = await one.ask("POST", "/pay/gold", data=fields)
        assert answer.status == 503
        assert complaint(answer.text).startswith("We can’t take payments right now.")
        one.one.database.open.set()
        assert (await one.ask("POST", "/pay/gold", data=fields)).status == 303
        assert len(await one.payments()) == 1


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ("", "bg-BG,bg;q=0.9,en;q=0.8", "bg"),
        ("", "de,uk;q=0.5,ru;q=0.7", "ru"),
        ("", "de", "en"),
        ("", "bg;q=0", "en"),
        ("lang=uk", "bg", "uk"),
        ("lang=xx", "bg", "bg"),
        ("", ",;q=,bg;q=9;;", "en"),
    ],
)
async def test_the_language_is_chosen_or_the_browser_s(sqlite: Engine, query: str, header: str, expected: str) -> None:
    async with counter(sqlite) as one:
        page = await one.get(f"/pay/gold?{query}", headers={"Accept-Language": header})
        assert f'<html lang="{expected}">' in page.text
        if query == "lang=uk":
            assert '<html lang="uk">' in (await one.get("/pay/gold", headers={"Accept-Language": "bg"})).text, "kept"


async def test_who_takes_another_language_types_nothing_again(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        page = (await one.get("/pay/gold?layout=one_page&lang=en&reference=a-1")).text
        [address] = re.findall(r'formaction="([^"]+lang=uk)"', page)
        typed = {**hidden(page), "product": "gold-500", "number": "0888 12", "remember": "1", "do": "language"}
        other = await one.ask("POST", address.replace("&amp;", "&"), data=typed)
        assert other.status == 200, "nothing was asked for yet"
        assert '<html lang="uk">' in other.text
        assert 'value="0888 12"' in other.text
        assert 'value="gold-500" checked' in other.text
        assert 'name="remember" value="1" checked' in other.text
        assert hidden(other.text)["reference"] == "a-1"
        assert hidden(other.text)["key"] == typed["key"], "still one form, and one payment"
        assert '<html lang="uk">' in (await one.get("/pay/gold")).text, "kept"
        assert await one.payments() == []


@pytest.mark.parametrize(
    ("support", "shown"),
    [
        ("help@gold.example", '<a href="mailto:help@gold.example">help@gold.example</a>'),
        ("+359 2 123-45-67", '<a href="tel:+35921234567">+359 2 123-45-67</a>'),
        ("https://gold.example/help?a=1", '<a href="https://gold.example/help?a=1">https://gold.example/help?a=1</a>'),
        ("the shop <b>", "the shop &lt;b&gt;"),
        ('"onload=x@gold.example', '<a href="mailto:%22onload=x@gold.example">&#34;onload=x@gold.example</a>'),
    ],
)
async def test_whom_buyers_ask_can_be_opened_from_a_phone(sqlite: Engine, support: str, shown: str) -> None:
    async with counter(sqlite, structs.replace(OPEN, support=support)) as one:
        assert f"<p>Questions? {shown}</p>" in (await one.get("/pay/gold")).text


async def test_the_pages_protect_themselves(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        page = await one.get("/pay/gold?product=gold-250")
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "style=" not in page.text
        assert re.findall(r"<script(?! src=)", page.text) == []
        [cookie] = one.session.cookie_jar
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/pay")


async def test_style_and_script_are_kept_for_ever_under_an_address_of_their_version(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        for name, kind in (("checkout.css", "text/css"), ("checkout.js", "text/javascript"), ("icon.svg", "image/svg")):
            answer = await one.get(f"{routes.assets()}/{name}")
            assert answer.status == 200
            assert kind in answer.headers["Content-Type"]
            assert "immutable" in answer.headers["Cache-Control"]
        assert (await one.get(f"{routes.assets()}/routes.py")).status == 404


async def test_bodies_have_limits(sqlite: Engine) -> None:
    async with counter(sqlite) as one:
        answer = await one.ask("POST", "/pay/gold", data={"number": "1" * 20_000})
        assert answer.status == 413
        assert "code" not in answer.text, "it is the checkout's own page"


async def test_no_number_is_in_the_log(sqlite: Engine, log: io.StringIO) -> None:
    async with counter(sqlite) as one:
        await one.send(number="0881 234 56")
        place = await one.page(remember="1")
        await one.ask("POST", f"{place}/cancel")
    told = log.getvalue()
    assert "checkout.begun" in told
    assert "88123456" not in told.replace(" ", "")
    assert place.rpartition("-")[2] not in told, "nor what opens the page"
