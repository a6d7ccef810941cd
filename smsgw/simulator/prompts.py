"""How a phone finds out what it can answer to a text: it reads the words that the text quotes."""

import re
from typing import Final

from msgspec import Struct

from smsgw.domain.consent import WORDS, Kind, Language, skeleton

_TOKEN: Final = re.compile(r"\b[^\W\d_]+\b")  # not the Y of a reference such as 3Y9K
_REFERENCE: Final = re.compile(r"\s([0-9]{1,6})\b")
_RUSSIAN: Final = frozenset("ыэёЫЭЁ")  # letters that Bulgarian has not


class Reply(Struct, frozen=True, kw_only=True):
    """What can be answered to a prompt, in its words."""

    yes: str
    no: str = "NO"
    stop: str = "STOP"
    help: str = "HELP"
    garbage: str = "maybe yes"


class _Quoted(Struct, frozen=True, kw_only=True, order=True):
    """A word of the text that means yes; the smallest is the most likely one."""

    written_small: bool  # prompts write what is to be answered in capitals
    rank: int  # in the language's row
    before_end: int  # what is to be done stands near the end
    word: str
    start: int
    language: Language


def quoted(text: str) -> Reply | None:
    """Return the words of a prompt: its yes as it is quoted there, with the reference that follows it, if any.

    A text that quotes no yes, or that names no sum beside it, is no prompt: it explains, confirms or declines.
    """
    found = min(_quotes(text), default=None)
    if found is None:
        return None
    end = found.start + len(found.word)
    reference = _REFERENCE.match(text, end)
    rest = text[: found.start] + text[reference.end() if reference else end :]
    if not any(character.isdigit() for character in rest):
        return None
    behind = f" {reference[1]}" if reference else ""
    return Reply(yes=found.word + behind, no=_no(text, found) + behind)


def _quotes(text: str) -> list[_Quoted]:
    found = []
    for token in _TOKEN.finditer(text):
        word, plain = token[0], skeleton(token[0])
        for language, kinds in WORDS.items():
            ranks = [rank for rank, one in enumerate(kinds[Kind.YES]) if skeleton(one) == plain]
            found += [
                _Quoted(
                    written_small=not word.isupper(),
                    rank=rank,
                    before_end=len(text) - token.start(),
                    word=word,
                    start=token.start(),
                    language=language,
                )
                for rank in ranks
            ]
    return found


def _no(text: str, yes: _Quoted) -> str:
    """Return the word for no that goes with a yes: the quoted one, or that of the language that it seems to be."""
    languages = [language for language, kinds in WORDS.items() if skeleton(yes.word) in map(skeleton, kinds[Kind.YES])]
    words = {skeleton(word) for language in languages for word in WORDS[language][Kind.NO]}
    for token in _TOKEN.finditer(text):
        if token[0].isupper() and skeleton(token[0]) in words:
            return token[0]
    language = "ru" if "ru" in languages and _RUSSIAN & set(text) else languages[0]
    return WORDS[language][Kind.NO][0 if yes.rank == 0 or language == "en" else 1].upper()
