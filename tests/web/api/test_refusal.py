"""Requests that are refused: where, and what is allowed there, in one sentence that holds nothing of what was sent."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Meta, Struct

from smsgw.web.api.refusal import sentence


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=9)]


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    kind: Literal["sun", "moon"] | None = None
    place: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"
    part: Part | None = None
    parts: list[Part] = []
    gift: bool = False
    either: str | int = 1


def refused(body: str) -> str:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.json.decode(body, type=Order)
    return sentence(found.value, Order)


FIELDS = "name, kind, place, part, parts, gift, either"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[]", "the body: allowed are objects"),
        ("{}", "name: is missing"),
        ('{"name": 1}', "name: allowed are texts in quotes of 1 to 5 characters"),
        ('{"name": "secret"}', "name: allowed are texts in quotes of 1 to 5 characters"),
        ('{"name": "a", "kind": "mars"}', 'kind: allowed are "moon", "sun"'),
        ('{"name": "a", "place": "B"}', "place: allowed are texts that match ^[a-z]+$"),
        ('{"name": "a", "gift": "yes"}', "gift: allowed are true and false"),
        ('{"name": "a", "part": {}}', "part.size: is missing"),
        ('{"name": "a", "part": {"size": 77}}', "part.size: allowed are whole numbers from 1 to 9"),
        ('{"name": "a", "part": {"size": 7, "sice": 7}}', "part.sice: no such field; there are size"),
        ('{"name": "a", "parts": 1}', "parts: allowed are lists of objects"),
        ('{"name": "a", "either": []}', "either: allowed are texts in quotes or whole numbers"),
        ('{"name": "a", "amount": 1}', f"amount: no such field; there are {FIELDS}"),
        ('{"name": "a", "359888123456": 1}', f"the body: no such field; there are {FIELDS}"),
    ],
)
def test_what_is_told(body: str, told: str) -> None:
    assert refused(body) == told


def test_a_place_in_a_list_is_told() -> None:
    told = refused('{"name": "a", "parts": [{"size": 1}, {"size": 77}]}')
    assert told == "parts[1].size: allowed are whole numbers from 1 to 9"


@given(st.dictionaries(st.text(max_size=9), st.one_of(st.none(), st.text(), st.integers(), st.lists(st.booleans()))))
def test_anything_is_taken_or_refused_in_a_sentence(body: dict[str, object]) -> None:
    told = ""
    try:
        msgspec.convert(body, Order)
    except msgspec.ValidationError as error:
        told = sentence(error, Order)
    assert ": " in told or set(body) <= set(FIELDS.split(", "))
