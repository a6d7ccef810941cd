"""What buyers are told: every language says everything, with the placeholders of its kind, in few SMS."""

import re
from typing import Final, get_args

import pytest

from smsgw.domain import consent
from smsgw.domain.wording import PLACEHOLDERS, TEXTS, Say, no_word, say, yes_word
from smsgw.settings.merchant import Language
from smsgw.text import gsm7
from smsgw.text.segments import split

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
USUAL: Final = {
    "product": "1000 gold",
    "price": "10.00 EUR",
    "merchant": "Golden Games",
    "support": "help@games.example",
    "reference": "K7XM4Q",
    "address": "1777",
}


def usual(language: Language) -> dict[str, str]:
    return USUAL | {"yes": yes_word(language), "no": no_word(language)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Say)
def test_every_language_says_everything(kind: Say, language: Language) -> None:
    text = say(kind, language, usual(language))
    assert "{" not in text
    latin = not gsm7.missing(text)
    assert latin == (language == "en"), "no letter of another alphabet has slipped in"
    assert len(split(text, reference=0)) <= (1 if language == "en" or kind is Say.CHARGE else 2)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Say)
def test_a_text_has_the_placeholders_of_its_kind(kind: Say, language: Language) -> None:
    told = set(re.findall(r"\{([a-z]+)\}", TEXTS[language][kind]))
    assert told <= set(PLACEHOLDERS[kind])
    needed = {"yes", "no"} if kind is not Say.PROMPT else {"product", "price", "yes", "merchant"}
    assert needed & set(PLACEHOLDERS[kind]) <= told


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_are_shown_are_words_that_are_understood(language: Language) -> None:
    answers = [consent.read(word, {language}) for word in (yes_word(language), no_word(language))]
    assert [one and one.kind for one in answers] == [consent.Kind.YES, consent.Kind.NO]
    for kind, meaning in ((Say.STOPPED, consent.Kind.START), (Say.STARTED, consent.Kind.STOP)):
        [shown] = [word for word in TEXTS[language][kind].split() if word.isupper()]
        answer = consent.read(shown, {language})
        assert answer is not None
        assert answer.kind is meaning


@pytest.mark.parametrize(
    ("language", "yes", "no"), [("en", "YES", "NO"), ("bg", "ДА", "НЕ"), ("uk", "ТАК", "НІ"), ("ru", "ДА", "НЕТ")]
)
def test_the_words_of_a_language(language: Language, yes: str, no: str) -> None:
    assert (yes_word(language), no_word(language)) == (yes, no)


def test_a_merchant_may_have_words_of_its_own() -> None:
    own = "{product} {price}? {yes}!"
    assert say(Say.PROMPT, "bg", usual("bg") | {"yes": "ДА 47"}, own) == "1000 gold 10.00 EUR? ДА 47!"


def test_a_title_with_braces_stays_as_it_is() -> None:
    assert say(Say.DECLINED, "en", USUAL | {"product": "{price}"}).startswith("Golden Games: {price} was not")
