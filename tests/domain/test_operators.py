"""Whose phone a number is: the longest prefix, then the numbering plan."""

from timeit import timeit

import pytest
from msgspec import structs

from smsgw.domain.operators import Operators, Owner, carrier_of
from smsgw.settings import LinkSettings

LINK = LinkSettings(host="x", port=1, system_id="us", password_file="x")


def operators(**changes: dict[str, object]) -> Operators:
    return Operators({name: structs.replace(LINK, **change) for name, change in changes.items()})


@pytest.mark.parametrize(
    ("msisdn", "link"),
    [
        ("359881234567", "north"),
        ("359882234567", "south"),  # the longer prefix
        ("35988", "north"),
        ("3598", None),
        ("380671234567", "east"),  # with a plus in the settings
        ("", None),
        ("no number", None),
    ],
)
def test_the_longest_prefix_decides(msisdn: str, link: str | None) -> None:
    found = operators(north={"prefixes": ["35988"]}, south={"prefixes": ["359882"]}, east={"prefixes": ["+38067"]})
    assert found.of(msisdn) == link
    assert found.of(msisdn) == link, "as remembered"


@pytest.mark.parametrize(
    ("msisdn", "owner"),
    [
        ("359888123456", Owner(link="north", by="carrier", what="A1")),
        ("359878123456", Owner(link="south", by="carrier", what="Vivacom")),
        ("359887123456", Owner(link="south", by="prefix", what="359887")),
        ("359898123456", None),  # a name that no link has
        ("35921234567", None),  # no mobile phone
        ("1", None),
        ("x", None),
    ],
)
def test_where_no_prefix_fits_the_numbering_plan_decides(msisdn: str, owner: Owner | None) -> None:
    found = operators(north={"carriers": ["a1"]}, south={"carriers": ["VIVACOM "], "prefixes": ["359887"]})
    assert found.why(msisdn) == owner
    assert found.of(msisdn) == (owner.link if owner else None)


def test_the_numbering_plan_s_own_names() -> None:
    assert [carrier_of(one) for one in ("359888123456", "380671234567", "999", "")] == ["A1", "Kyivstar", "", ""]


def test_a_number_that_was_asked_for_before_costs_nothing() -> None:
    found = operators(north={"carriers": ["A1"]})
    found.of("359888123456")
    assert timeit(lambda: found.of("359888123456"), number=10_000) / 10_000 < 5e-6
