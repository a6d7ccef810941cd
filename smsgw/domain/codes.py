"""Access codes: how one is made, how what a person types is read, and whether it opens the door now.

A code's life is counted, not switched: `used` grows and `first_used_ms` is set once. It ends when its time or its uses
are over; which of the two limits it has, and from when time counts, is the policy it was made under.
"""

import unicodedata
from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from msgspec import Struct, structs

from smsgw.domain.keywords import LOOK_ALIKES

# 1 I O 0 Q look alike and are never generated; lower case is never generated either.
DIGITS = "23456789"
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_CONSONANTS = "".join([letter for letter in LETTERS if letter not in "AEUY"])
# (alphabet, vowels) → the characters that a code is made of
ALPHABETS = {
    ("digits", True): DIGITS,
    ("letters", True): LETTERS,
    ("both", True): DIGITS + LETTERS,
    ("digits", False): DIGITS,
    ("letters", False): _CONSONANTS,
    ("both", False): DIGITS + _CONSONANTS,
}

MAX_TYPED = 64  # longer input cannot be a code (at most 16 characters and some separators)


def _drawing(alphabet: str) -> tuple[bytes, bytes]:
    """Return the character that each random byte stands for, and the bytes that would favour the first characters."""
    size = len(alphabet)
    table = bytes(ord(alphabet[byte % size]) for byte in range(256))
    return table, bytes(range(256 - 256 % size, 256))


_DRAWING = {kind: _drawing(alphabet) for kind, alphabet in ALPHABETS.items()}


class Outcome(StrEnum):
    """What an attempt to use a code comes to."""

    SUCCESS = "success"
    EXPIRED = "expired"
    USED_UP = "used_up"
    INVALID = "invalid"
    THROTTLED = "throttled"


class Policy(Struct, frozen=True, kw_only=True):
    """The conditions of a code, kept with it as a snapshot: changing a service changes later codes only."""

    length: int  # characters
    alphabet: Literal["digits", "letters", "both"]
    valid_ms: int | None  # None: not limited by time
    counted_from: Literal["receipt", "first_use"]
    uses: int | None  # None: not limited by number
    vowels: bool = True


class Code(Struct, frozen=True, kw_only=True):
    """The facts about a code that decide an attempt."""

    policy: Policy
    issued_ms: int
    first_used_ms: int | None
    used: int
    revoked: bool = False


def generate(policy: Policy, random_bytes: Callable[[int], bytes]) -> str:
    """Make a code of the policy's length and alphabet; every code is equally likely.

    Args:
        policy: length and alphabet.
        random_bytes: n → n bytes from a cryptographic generator.
    """
    table, biased = _DRAWING[policy.alphabet, policy.vowels]
    code = b""
    while len(code) < policy.length:
        code += random_bytes(policy.length * 2).translate(table, biased)
    return code[: policy.length].decode("ascii")


def canonical(typed: str) -> str:
    """Return the code that a person meant, with case, spaces, dashes and Cyrillic look-alikes folded; "" if none."""
    if len(typed) > MAX_TYPED:
        return ""
    if typed.isascii() and typed.isalnum():
        return typed.upper()
    folded = unicodedata.normalize("NFKC", typed).upper().translate(LOOK_ALIKES)
    return "".join([character for character in folded if character.isascii() and character.isalnum()])


def grouped(code: str, group: int) -> str:
    """Return the code as a person reads it: with a dash after each ``group`` characters; 0 for none."""
    if not group or len(code) <= group:
        return code
    return "-".join(code[at : at + group] for at in range(0, len(code), group))


def uses_left(code: Code) -> int | None:
    """Return how often the code still opens the door, or None when nobody counts."""
    return None if code.policy.uses is None else max(0, code.policy.uses - code.used)


def expires_ms(code: Code) -> int | None:
    """Return when the code's time is over (exclusive), or None while no end is known."""
    if code.policy.valid_ms is None:
        return None
    start = code.issued_ms if code.policy.counted_from == "receipt" else code.first_used_ms
    return None if start is None else start + code.policy.valid_ms


def judge(code: Code, now_ms: int) -> Outcome:
    """Decide one attempt. Time goes before uses: a code that is both is called expired."""
    if code.revoked:
        return Outcome.INVALID  # outside it looks as one that never was
    end = expires_ms(code)
    if end is not None and now_ms >= end:
        return Outcome.EXPIRED
    if code.policy.uses is not None and code.used >= code.policy.uses:
        return Outcome.USED_UP
    return Outcome.SUCCESS


def use(code: Code, now_ms: int) -> Code:
    """Return the code after one successful use."""
    first = now_ms if code.first_used_ms is None else code.first_used_ms
    return structs.replace(code, first_used_ms=first, used=code.used + 1)
