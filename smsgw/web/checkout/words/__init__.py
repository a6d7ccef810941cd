"""What the checkout says, in each language: one table a language, in which mypy finds what is missing.

Placeholders stand in braces. What a merchant or an operator is called, and what a product is called, stands where it
needs no case.
"""

from collections.abc import Mapping
from typing import Final

from smsgw.settings.merchant import Language
from smsgw.web.checkout.words import bg, en, ru, uk
from smsgw.web.checkout.words.table import Words

WORDS: Final[Mapping[Language, Words]] = {"en": en.WORDS, "bg": bg.WORDS, "uk": uk.WORDS, "ru": ru.WORDS}

__all__ = ["WORDS", "Words"]
