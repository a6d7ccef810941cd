"""Which service a message is for: by link, short code and first word, or why it is for none."""

import pytest

from smsgw.domain.routing import NoService, Route, Routes, conflicts
from smsgw.settings import ServiceSettings


def service(short_code: str, *keywords: str, links: list[str] | None = None) -> ServiceSettings:
    return ServiceSettings(
        short_code=short_code,
        keywords=list(keywords),
        reply="{code}",
        success_url="https://x.example/",
        expired_url="https://x.example/",
        invalid_url="https://x.example/",
        uses=1,
        links=links or [],
    )


LINKS: dict[str, object] = {"north": None, "south": None}
SERVICES = {
    "sun": service("1234", "SUN", "Sonne"),
    "moon": service("1234", "moon", links=["north"]),
    "rest": service("+777", "*"),
    "word": service("777", "word"),
}
ROUTES = Routes(SERVICES, LINKS)


def leads(found: Route | NoService) -> str:
    return found.value if isinstance(found, NoService) else found.service


@pytest.mark.parametrize(
    ("link", "short_code", "text", "found"),
    [
        ("north", "1234", "SUN", "sun"),
        ("south", "1234", "sonne 5", "sun"),
        ("north", "+1234", "sun", "sun"),
        ("north", "1234", "moon", "moon"),
        ("south", "1234", "moon", NoService.UNKNOWN_KEYWORD),
        ("north", "1234", "stars", NoService.UNKNOWN_KEYWORD),
        ("north", "1234", "", NoService.EMPTY),
        ("north", "1234", " \n", NoService.EMPTY),
        ("north", "1234", "*", NoService.EMPTY),
        ("north", "1234", None, NoService.UNREADABLE),
        ("north", "9999", "sun", NoService.UNKNOWN_SHORT_CODE),
        ("north", "9999", None, NoService.UNKNOWN_SHORT_CODE),
        ("west", "1234", "sun", NoService.UNKNOWN_SHORT_CODE),
    ],
)
def test_a_message_finds_its_service_or_the_reason_why_not(
    link: str, short_code: str, text: str | None, found: str | NoService
) -> None:
    assert leads(ROUTES.find(link, short_code, text)) == found


@pytest.mark.parametrize("text", ["anything", "", "*", "...", None])
def test_a_catch_all_takes_everything_that_no_keyword_takes_for_it_was_paid_for(text: str | None) -> None:
    assert leads(ROUTES.find("south", "777", text)) == "rest"


def test_a_keyword_goes_before_the_catch_all() -> None:
    assert leads(ROUTES.find("north", "+777", "Word!")) == "word"


def test_every_reason_has_its_answer_in_the_settings() -> None:
    from smsgw.settings import Answers

    assert {reason.value for reason in NoService} == set(Answers.__struct_fields__)


# --- conflicts ------------------------------------------------------------------------------------------------------


def test_services_that_share_nothing_do_not_conflict() -> None:
    assert conflicts(SERVICES, LINKS) == []


def test_two_services_may_not_claim_one_keyword() -> None:
    two = {"one": service("1234", "sun"), "two": service("1234", "other", "SUN")}
    assert conflicts(two, LINKS) == [("two", "SUN", "one")]


def test_a_look_alike_is_the_same_keyword_and_a_plus_the_same_short_code() -> None:
    two = {"one": service("1234", "CODE"), "two": service("+1234", "\N{CYRILLIC CAPITAL LETTER ES}ode")}
    assert [(name, owner) for name, _, owner in conflicts(two, LINKS)] == [("two", "one")]


def test_two_catch_alls_conflict() -> None:
    assert conflicts({"one": service("1", "*"), "two": service("1", "*")}, LINKS) == [("two", "*", "one")]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ([], ["south"], True),
        (["north"], ["south"], False),
        (["north", "south"], ["south"], True),
    ],
)
def test_only_on_a_link_that_sells_both(first: list[str], second: list[str], *, clash: bool) -> None:
    two = {"one": service("1", "sun", links=first), "two": service("1", "sun", links=second)}
    assert bool(conflicts(two, LINKS)) is clash


def test_a_service_may_repeat_its_own_keyword() -> None:
    assert conflicts({"one": service("1", "sun", "SUN")}, LINKS) == []
