"""Text in letters that GSM 7 bit can carry: Cyrillic by the national standards, accents, quotes and dashes made plain.

Only what the default alphabet with its extension table lacks is replaced. The standards: Bulgarian by the law on
transliteration of 2009 ("Streamlined"), Ukrainian by resolution 55 of the Cabinet of Ministers of 2010, Russian as in
passports (ICAO Doc 9303). A letter that the text's language does not have is written as one of the others has it.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from smsgw.text import gsm7

Language: TypeAlias = Literal["en", "bg", "uk", "ru"]


def _table(cells: str) -> dict[str, str]:
    """Return {letter: Latin} of "letter:Latin" words; nothing behind the colon: the letter is left out."""
    return {cell[0]: cell[2:] for cell in cells.split()}


_COMMON: Final = "а:a б:b в:v г:g д:d е:e ж:zh з:z и:i й:y к:k л:l м:m н:n о:o п:p р:r с:s т:t у:u ф:f ц:ts ч:ch ш:sh "
_BULGARIAN: Final = _table(_COMMON + "х:h щ:sht ъ:a ь:y ю:yu я:ya")
_UKRAINIAN: Final = _table(_COMMON + "г:h ґ:g є:ie и:y і:i ї:i й:i х:kh щ:shch ь: ю:iu я:ia")
_RUSSIAN: Final = _table(_COMMON + "ё:e й:i х:kh щ:shch ъ:ie ы:y ь: э:e ю:iu я:ia")
_ELSEWHERE: Final = _table("ў:u ђ:dj ј:j љ:lj њ:nj ћ:c џ:dz ѓ:gj ќ:kj ѕ:dz")
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "bg": _ELSEWHERE | _UKRAINIAN | _RUSSIAN | _BULGARIAN,
    "uk": _ELSEWHERE | _BULGARIAN | _RUSSIAN | _UKRAINIAN,
    "ru": _ELSEWHERE | _BULGARIAN | _UKRAINIAN | _RUSSIAN,
}
# Ukrainian at the beginning of a word.
_UKRAINIAN_FIRST: Final = _table("є:ye ї:yi й:y ю:yu я:ya")
# Letters that tell the language of a text in none of the three: Bulgarian has all others.
_TELLING: Final = {"uk": frozenset("іїєґ"), "ru": frozenset("ыэё")}

_PLAIN: Final[Mapping[str, str]] = {
    **dict.fromkeys("‘’‚‛′ʼ´`‹›", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•·", "-"),
    **dict.fromkeys("\t\N{NO-BREAK SPACE}\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0f", ""),
    "…": "...",
    "№": "No",
    "©": "(c)",
    "®": "(r)",
    "™": "(tm)",
    "×": "x",
    "°": "o",
    "₴": "UAH",
    "₽": "RUB",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "Th",
    "œ": "oe",
    "Œ": "OE",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ħ": "h",
    "Ħ": "H",
    "ŧ": "t",
    "Ŧ": "T",
    "ŋ": "ng",
    "Ŋ": "Ng",
}

_WORD: Final = re.compile(r"[\u0400-\u04ff]+(?:['’ʼ][\u0400-\u04ff]+)*")
_NAMES: Final = {"българия": "bulgaria"}  # the law's own exception
_LAST_IA: Final = re.compile("(?i:ия)$")  # Bulgarian at the end of a word: ia, not iya


def transliterate(text: str, language: Language = "en") -> str:
    """Return the text with fewer characters that GSM 7 bit lacks; none, unless it holds other scripts or pictures.

    Args:
        text: any.
        language: of its Cyrillic; "en" says nothing of it: then its letters tell.
    """
    if gsm7.encode(text) is not None:
        return text
    composed = unicodedata.normalize("NFC", text)
    spelling = language if language in _TABLES else _language_of(composed)
    latin = _WORD.sub(lambda word: _word(word[0], spelling), composed)
    return "".join(letter if gsm7.carries(letter) else _simple(letter) for letter in latin)


def _language_of(text: str) -> str:
    letters = set(text.lower())
    return next((language for language, telling in _TELLING.items() if letters & telling), "bg")


def _word(word: str, language: str) -> str:
    """Write a Cyrillic word in Latin letters; apostrophes in it are dropped."""
    if language == "bg":
        if name := _NAMES.get(word.lower()):
            return _in_case(name, word[0], word[1:])
        word = _LAST_IA.sub(lambda end: "иа" if end[0].islower() else "ИА" if end[0].isupper() else "Иа", word)
    letters = [letter for letter in word if letter not in "'’ʼ"]
    written = []
    for place, letter in enumerate(letters):
        beside = "".join(letters[place + 1 : place + 2]) or "".join(letters[max(0, place - 1) : place])
        written.append(_in_case(_letter(letters, place, language), letter, beside))
    return "".join(written)


def _letter(letters: list[str], place: int, language: str) -> str:
    """Return one letter of a word in small Latin letters."""
    letter = letters[place].lower()
    if language == "uk":
        if place == 0 and letter in _UKRAINIAN_FIRST:
            return _UKRAINIAN_FIRST[letter]
        if letter == "г" and place and letters[place - 1].lower() == "з":
            return "gh"  # зг, which would read as ж
    return _TABLES[language].get(letter, letter)


def _in_case(latin: str, letter: str, beside: str) -> str:
    """Return several letters for one: all capital where the word is."""
    if letter == letter.lower():
        return latin
    return latin.upper() if beside.isupper() else latin[:1].upper() + latin[1:]


def _simple(letter: str) -> str:
    """Return a letter without its accents, or what stands for a mark; itself when there is no such thing."""
    if letter in _PLAIN:
        return _PLAIN[letter]
    parts = unicodedata.normalize("NFKD", letter)
    bare = "".join(_PLAIN.get(part, part) for part in parts if not unicodedata.combining(part))
    return bare if bare and all(map(gsm7.carries, bare)) else letter
