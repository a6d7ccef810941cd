"""What answers cost: coding and SMS, what transliteration saves, and how characters are named to whoever wrote them."""

from msgspec import structs

from smsgw.domain.costs import Cost, cost, named, outlet_of, saving, strangers
from smsgw.settings import LinkSettings
from smsgw.text.segments import Outlet

LINK = LinkSettings(host="x", port=1, system_id="us", password_file="x")
PLAIN = Outlet()


def test_a_cost_is_the_sms_of_each_text_and_the_coding_of_the_dearest() -> None:
    both = cost(["a" * 161, "Ж"], PLAIN)
    assert (both, str(both), both.total) == (Cost(coding="GSM 7 bit", sms=[2, 1]), "GSM 7 bit, 2 + 1 SMS", 3)
    assert str(cost(["a", "Ж"], PLAIN)) == "UCS-2, 1 + 1 SMS"


def test_each_link_has_its_own_costs() -> None:
    latin = outlet_of(structs.replace(LINK, default_alphabet="latin1", long_messages="payload", codings=["default"]))
    assert latin == Outlet(default_alphabet="latin1", codings=["default"], long_messages="payload")
    assert str(cost(["a" * 161], latin)) == "default (Latin-1), 2 SMS"
    assert str(cost(["Ж" * 80], Outlet(codings=["iso8859-5", "ucs2"]))) == "ISO-8859-5, 1 SMS"


def test_what_transliteration_saves() -> None:
    text = "Кодът Ви за достъп: WWWWWWWWWWWW. Валиден до 2026-12-11 01:00. Помощ: help@x.example"
    found = saving([text], "bg", PLAIN)
    assert found is not None
    assert [str(one) for one in found] == ["UCS-2, 2 SMS", "GSM 7 bit, 1 SMS"]
    assert saving(["plain"], "bg", PLAIN) is None


def test_characters_are_named_with_their_places_and_not_without_end() -> None:
    assert named({"Д": [1, 7], "\u200b": [2]}) == '"Д" (at 1, 7), "U+200B" (at 2)'
    many = {chr(0x430 + n): list(range(1, 9)) for n in range(12)}
    assert named(many).startswith('"а" (at 1, 2, 3, 4, 5 …), ')  # noqa: RUF001 - the first letter of the alphabet
    assert named(many).endswith(" and 2 more")


def test_a_stranger_is_what_the_service_does_nothing_about() -> None:
    assert strangers("Да 日", "allow", "bg") == {}
    assert strangers("Да 日", "refuse", "bg") == {"Д": [1], "а": [2], "日": [4]}  # noqa: RUF001 - Cyrillic is meant
    assert strangers("Да 日", "transliterate", "bg") == {"日": [4]}
