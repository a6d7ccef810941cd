# ruff: noqa: RUF001 - letters that look alike are what this is about
"""Consent: tolerant of how people type, strict in what they mean; nothing but a plain yes is a yes."""

import itertools

import pytest
from hypothesis import given, strategies as st

from smsgw.domain import consent
from smsgw.domain.consent import MAX_TYPED, WORDS, Answer, Kind, Language, conflicts, read, skeleton

ALL: tuple[Language, ...] = ("en", "bg", "uk", "ru")


@pytest.mark.parametrize(
    "text",
    [
        "ДА",
        "да",
        "дa",
        "Dа!",
        "ΔA",
        "DA",
        " да. ",
        "«Да»",
        "да 👍🏽",
        "👍 да",
        "\u200eда\u200f",
        "Д\u0301а",
        "Так",
        "TAK",
        "YES.",
        "yes!!!",
        "ＹＥＳ",
        "y",
        "Ok",
    ],
)
def test_a_plain_yes_is_a_yes(text: str) -> None:
    assert read(text, ALL) == Answer(kind=Kind.YES)


@pytest.mark.parametrize(
    ("text", "reference"),
    [("да 47", "47"), ("ДА47", "47"), ("yes-047", "47"), ("ТАК №47", None), ("да 0", "0"), ("да ４７", "47")],
)
def test_a_reference_may_follow(text: str, reference: str | None) -> None:
    expected = None if reference is None else Answer(kind=Kind.YES, reference=reference)
    assert read(text, ALL) == expected


@pytest.mark.parametrize(
    "text",
    [
        "да нет",
        "не да",
        "Дай",
        "yes please no",
        "yes please",
        "maybe yes",
        "да да",
        "да 4 7",
        "47 да",
        "да 1234567",
        "да47нет",
        "дада",
        "неда",
        "",
        " ",
        "👍",
        "47",
        "?",
        "х" * 1000,
        "да" + " " * MAX_TYPED,
        None,
    ],
)
def test_nothing_else_means_anything(text: str | None) -> None:
    assert read(text, ALL) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("HET", Kind.NO),
        ("нет", Kind.NO),
        ("Ні", Kind.NO),
        ("Hi", Kind.NO),  # the same letters
        ("не!", Kind.NO),
        ("NO", Kind.NO),
        ("Стоп", Kind.STOP),
        ("CTOП", Kind.STOP),
        ("stop", Kind.STOP),
        ("СТАРТ", Kind.START),
        ("Помощь?", Kind.HELP),
        ("help", Kind.HELP),
    ],
)
def test_what_else_can_be_said(text: str, kind: Kind) -> None:
    assert read(text, ALL) == Answer(kind=kind)


def test_only_the_languages_of_the_prompts_count() -> None:
    assert read("так", ["en"]) is None
    assert read("yes", ["uk"]) is None


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_no_word_means_two_things(size: int) -> None:
    for languages in itertools.combinations(ALL, size):
        assert conflicts(languages) == []


def test_languages_in_which_a_word_means_two_things_cannot_share_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    greek = {**WORDS["en"], Kind.YES: ("ναι", "ne")}
    monkeypatch.setattr(consent, "WORDS", {**WORDS, "en": greek})
    consent._table.cache_clear()
    assert conflicts(["en", "bg"]) == ['"NE" means no (bg) and yes (en)']
    with pytest.raises(ValueError, match='"NE" means'):
        read("ne", ["en", "bg"])
    consent._table.cache_clear()


@given(st.text(max_size=MAX_TYPED))
def test_whatever_is_typed_has_an_answer_or_none(text: str) -> None:
    found = read(text, ALL)
    if found is not None:
        words = skeleton(text).split()
        assert len(words) <= 2
        assert words[0].rstrip("0123456789") in {
            skeleton(word) for table in WORDS.values() for word in table[found.kind]
        }
