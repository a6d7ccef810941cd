"""What answers cost: the coding and the SMS that they take on a link, as written and transliterated; in words too."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from smsgw.settings import LinkSettings
from smsgw.text import gsm7
from smsgw.text.segments import Outlet, split
from smsgw.text.transliteration import Language, transliterate

_CODINGS: Final[Mapping[int, str]] = {1: "ASCII", 3: "Latin-1", 6: "ISO-8859-5", 7: "ISO-8859-8", 8: "UCS-2"}
_DEFAULTS: Final[Mapping[str, str]] = {
    "gsm7": "GSM 7 bit",
    "gsm7_packed": "GSM 7 bit, packed",
    "latin1": "default (Latin-1)",
    "ascii": "default (ASCII)",
    "utf8": "default (UTF-8)",
}
_SHOWN_CHARACTERS: Final = 10
_SHOWN_PLACES: Final = 5


class Cost(Struct, frozen=True, kw_only=True):
    """What texts take on a link."""

    coding: str  # of the dearest text
    sms: list[int]  # of each text

    @property
    def total(self) -> int:
        """How many SMS all of them are."""
        return sum(self.sms)

    def __str__(self) -> str:
        """Return it in words: "UCS-2, 2 + 1 SMS"."""
        return f"{self.coding}, {' + '.join(map(str, self.sms))} SMS"


def outlet_of(link: LinkSettings) -> Outlet:
    """Return what an operator takes."""
    return Outlet(default_alphabet=link.default_alphabet, codings=link.codings, long_messages=link.long_messages)


def cost(texts: Sequence[str], outlet: Outlet) -> Cost:
    """Return what texts take.

    Raises:
        TextError: none of the link's codings carries one of them.
    """
    cut = [split(text, reference=0, outlet=outlet) for text in texts]
    sms = [sum(one.sms for one in segments) for segments in cut]
    data_coding = cut[max(range(len(cut)), key=lambda at: (sms[at], cut[at][0].data_coding))][0].data_coding
    return Cost(coding=_CODINGS.get(data_coding) or _DEFAULTS[outlet.default_alphabet], sms=sms)


def saving(texts: Sequence[str], language: Language, outlet: Outlet) -> tuple[Cost, Cost] | None:
    """Return what texts take as they are written, and transliterated; None where that makes no difference."""
    as_written = cost(texts, outlet)
    latin = [transliterate(text, language) for text in texts]
    return None if latin == list(texts) else (as_written, cost(latin, outlet))


def named(missing: Mapping[str, Sequence[int]]) -> str:
    """Return characters with their places, as a person looks for them: «"Д" (at 1, 7), "ж" (at 2)»."""
    shown = [
        f'"{character if character.isprintable() else f"U+{ord(character):04X}"}" (at {_places(places)})'
        for character, places in list(missing.items())[:_SHOWN_CHARACTERS]
    ]
    more = len(missing) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _places(places: Sequence[int]) -> str:
    shown = ", ".join(map(str, places[:_SHOWN_PLACES]))
    return f"{shown} …" if len(places) > _SHOWN_PLACES else shown


def strangers(text: str, characters: str, language: Language) -> dict[str, list[int]]:
    """Return what GSM 7 bit cannot carry in spite of what the service does about it: {character: places}."""
    if characters == "allow":
        return {}
    missing = gsm7.missing(text)
    if characters == "refuse":
        return missing
    return {one: places for one, places in missing.items() if gsm7.missing(transliterate(one, language))}
