"""Sentences about values: what stands there, and what the type allows, without a word of the library that found it."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from smsgw.settings.words import complaint, shown, size_complaint


class Inner(Struct):
    """A table in a table."""


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        (int, "x", "whole numbers"),
        (Annotated[int, Meta(ge=1)], 0, "whole numbers from 1"),
        (Annotated[int, Meta(le=9)], 10, "whole numbers up to 9"),
        (Annotated[int, Meta(ge=0, le=0xFFFFFFFF)], -1, "whole numbers from 0 to 4294967295"),
        (Annotated[float, Meta(ge=0.001, le=60)], 61, "numbers from 0.001 to 60"),
        (str, 1, "texts in quotes"),
        (Annotated[str, Meta(min_length=1)], "", "texts in quotes of at least 1 character"),
        (Annotated[str, Meta(min_length=2)], "x", "texts in quotes of at least 2 characters"),
        (Annotated[str, Meta(max_length=2)], "xyz", "texts in quotes of at most 2 characters"),
        (Annotated[str, Meta(min_length=2, max_length=4)], "x", "texts in quotes of 2 to 4 characters"),
        (bool, 1, "true and false"),
        (Literal["b", "a"], "c", '"b", "a"'),
        (list[str], "x", "lists, each one of these: texts in quotes"),
        (
            Annotated[list[int], Meta(max_length=2)],
            [1, 2, 3],
            "lists of at most 2 items, each one of these: whole numbers",
        ),
        (list[Any], 1, "lists"),
        (list[Literal["b", "a"]], ["c"], 'lists, each one of these: "a", "b"'),
        (int | str, [], "whole numbers or texts in quotes"),
        (Inner, 1, "tables only: its settings below a line with its name in [ ]"),
    ],
)
def test_each_type_has_words_for_what_it_allows(kind: object, value: object, allowed: str) -> None:
    assert complaint("x", kind, value) == f"{shown(value)} is not allowed; allowed are {allowed}"


@pytest.mark.parametrize(("kind", "value"), [(int, 1), (float, 1), (str, ""), (list[str], []), (Literal["a"], "a")])
def test_about_what_is_allowed_nothing_is_said(kind: object, value: object) -> None:
    assert complaint("x", kind, value) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_without_end(value: float) -> None:
    assert complaint("x", float, value) == f"{value} is not allowed; allowed are numbers"


def test_a_pattern_is_told_in_words_where_there_are_some() -> None:
    kind = Annotated[str, Meta(pattern="^[0-9]+$")]
    assert complaint("short_code", kind, "x") == '"x" is not allowed; allowed are 1 to 20 digits or letters'
    assert complaint("x", kind, "x") == "\"x\" is not allowed: expected `str` matching regex '^[0-9]+$'"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ('a "b"', '"a \\"b\\""'),
        ("ж\n", '"ж\\n"'),
        ([1, "a", [False]], '[1, "a", [false]]'),
        ({"a": 1}, "a table"),
        (date(1979, 5, 27), "1979-05-27"),
        ("x" * 100, '"' + "x" * 39 + "…"),
    ],
)
def test_a_value_is_shown_as_it_is_written_and_not_at_length(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("kind", "count", "sentence"),
    [
        (Annotated[list[Inner], Meta(max_length=2)], 2, None),
        (Annotated[list[Inner], Meta(max_length=2)], 3, "3 are not allowed; allowed are lists of at most 2 items"),
        (Annotated[list[Inner], Meta(min_length=1)], 0, "0 are not allowed; allowed are lists of at least 1 item"),
        (list[Inner], 1_000, None),
        (dict[str, Inner], 1_000, None),
    ],
)
def test_a_list_of_tables_has_a_size(kind: object, count: int, sentence: str | None) -> None:
    assert size_complaint(kind, [{}] * count) == sentence


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"^[A-Z]{3}\Z", 'codes of ISO 4217 such as "EUR"'),
        (r"^[0-9]{3,15}\Z", "short codes of 3 to 15 digits"),
        (r"^[a-z0-9][a-z0-9_-]{0,39}\Z", "1 to 40 of a-z 0-9 _ -, beginning with a letter or digit"),
    ],
)
def test_patterns_that_stand_in_several_places_have_words(pattern: str, words: str) -> None:
    kind = Annotated[str, Meta(pattern=pattern)]
    assert complaint("x", kind, "!") == f'"!" is not allowed; allowed are {words}'
    assert complaint("x", list[kind], ["!"]) == f'["!"] is not allowed; allowed are lists, each one of these: {words}'
