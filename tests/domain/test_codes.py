"""Access codes: how they are drawn, how what a person types is read, and when they open the door."""

import random
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from smsgw.domain.codes import (
    ALPHABETS,
    DIGITS,
    LETTERS,
    MAX_TYPED,
    Code,
    Outcome,
    Policy,
    canonical,
    expires_ms,
    generate,
    judge,
    use,
)

DAY = 86_400_000
ISSUED = 1_000_000
FULL_WIDTH = 0xFEE0  # from ASCII to the forms of Asian keyboards

policies = st.builds(
    Policy,
    length=st.integers(4, 16),
    alphabet=st.sampled_from(["digits", "letters", "both"]),
    valid_ms=st.none() | st.integers(1, 10 * DAY),
    counted_from=st.sampled_from(["receipt", "first_use"]),
    uses=st.none() | st.integers(1, 5),
)


def policy(**changes: object) -> Policy:
    given = {"length": 8, "alphabet": "both", "valid_ms": DAY, "counted_from": "receipt", "uses": None}
    return Policy(**(given | changes))  # type: ignore[arg-type]  # each test names values of the right kind


def fresh(of: Policy) -> Code:
    return Code(policy=of, issued_ms=ISSUED, first_used_ms=None, used=0)


# --- drawing --------------------------------------------------------------------------------------------------------


def test_the_alphabets_hold_no_characters_that_look_alike() -> None:
    assert DIGITS == "23456789"
    assert LETTERS == "ABCDEFGHJKLMNPRSTUVWXYZ"
    assert ALPHABETS["both", True] == DIGITS + LETTERS
    assert not set("1IO0Q") & set("".join(ALPHABETS.values()))


@given(policies, st.integers(0))
def test_a_code_has_the_policy_s_length_and_alphabet(of: Policy, seed: int) -> None:
    code = generate(of, random.Random(seed).randbytes)
    assert len(code) == of.length
    assert set(code) <= set(ALPHABETS[of.alphabet, of.vowels])


@given(policies, st.integers(0))
def test_what_is_generated_is_read_back_as_it_is(of: Policy, seed: int) -> None:
    code = generate(of, random.Random(seed).randbytes)
    assert canonical(code) == canonical(code.lower()) == code


@pytest.mark.parametrize("alphabet", ["digits", "letters", "both"])
def test_every_character_comes_exactly_as_often_when_every_octet_does(alphabet: str) -> None:
    """Fed each octet once, an unbiased choice gives each character the same number of times."""
    octets = bytes(range(256))
    count = 256 // len(ALPHABETS[alphabet, True]) * len(ALPHABETS[alphabet, True])
    code = generate(policy(alphabet=alphabet, length=count), lambda _: octets)
    assert set(Counter(code).values()) == {256 // len(ALPHABETS[alphabet, True])}
    assert set(code) == set(ALPHABETS[alphabet, True])


def test_octets_that_would_favour_the_first_letters_are_drawn_again() -> None:
    answers = iter([b"\xff" * 16, b"\xff" * 15 + b"\x00", b"\x01" * 16])
    assert generate(policy(length=8, alphabet="letters"), lambda _: next(answers)) == "ABBBBBBB"


def test_only_as_much_chance_is_taken_as_is_asked_for() -> None:
    asked: list[int] = []

    def octets(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    assert generate(policy(length=8, alphabet="digits"), octets) == "22222222"
    assert asked == [16]


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("ABCD2345", "ABCD2345"),
        ("abcd2345", "ABCD2345"),
        ("  abcd 2345\n", "ABCD2345"),
        ("AB-CD-23-45", "ABCD2345"),
        ("AB\N{EN DASH}CD\N{MINUS SIGN}2345", "ABCD2345"),
        ("AB.CD_23/45", "ABCD2345"),
        ("".join(chr(ord(letter) + FULL_WIDTH) for letter in "ABCD2345"), "ABCD2345"),
        ("\N{CYRILLIC SMALL LETTER A}\N{CYRILLIC SMALL LETTER VE}CD2345", "ABCD2345"),
        ("\N{CYRILLIC CAPITAL LETTER HA}\N{CYRILLIC CAPITAL LETTER U}23", "XY23"),
        ("\u200bABCD2345\ufeff", "ABCD2345"),
        ("ABCD\x002345", "ABCD2345"),
        ("'; drop table codes; --", "DROPTABLECODES"),
        ("\ud800ABCD", "ABCD"),
        ("", ""),
        ("   ", ""),
        ("жжж", ""),
    ],
)
def test_what_people_type_is_forgiven(typed: str, code: str) -> None:
    assert canonical(typed) == code


def test_what_cannot_be_a_code_is_none_however_long_it_is() -> None:
    assert canonical("A" * MAX_TYPED) == "A" * MAX_TYPED
    assert canonical("A" * (MAX_TYPED + 1)) == ""
    assert canonical("A" * 10_000_000) == ""


@given(st.text(max_size=100))
def test_whatever_is_typed_becomes_capitals_and_digits(typed: str) -> None:
    code = canonical(typed)
    assert code == "" or (code.isascii() and code.isalnum() and code == code.upper())
    assert canonical(code) == code or len(code) > MAX_TYPED


# --- judging --------------------------------------------------------------------------------------------------------


def test_time_from_the_receipt_ends_to_the_millisecond() -> None:
    code = fresh(policy(valid_ms=DAY))
    assert expires_ms(code) == ISSUED + DAY
    assert judge(code, ISSUED) is Outcome.SUCCESS
    assert judge(code, ISSUED + DAY - 1) is Outcome.SUCCESS
    assert judge(code, ISSUED + DAY) is Outcome.EXPIRED


def test_time_from_the_first_use_does_not_begin_before_it() -> None:
    code = fresh(policy(valid_ms=DAY, counted_from="first_use"))
    assert expires_ms(code) is None
    late = ISSUED + 1000 * DAY
    assert judge(code, late) is Outcome.SUCCESS
    code = use(code, late)
    assert expires_ms(code) == late + DAY
    assert judge(code, late + DAY - 1) is Outcome.SUCCESS
    code = use(code, late + 5)
    assert expires_ms(code) == late + DAY, "the second use does not begin it anew"
    assert judge(code, late + DAY) is Outcome.EXPIRED


def test_uses_are_counted_down_to_none() -> None:
    code = fresh(policy(valid_ms=None, uses=2))
    assert expires_ms(code) is None
    for _ in range(2):
        assert judge(code, ISSUED) is Outcome.SUCCESS
        code = use(code, ISSUED)
    assert judge(code, ISSUED + 10_000 * DAY) is Outcome.USED_UP


def test_a_code_that_is_used_up_and_expired_is_called_expired() -> None:
    code = use(fresh(policy(uses=1)), ISSUED)
    assert judge(code, ISSUED) is Outcome.USED_UP
    assert judge(code, ISSUED + DAY) is Outcome.EXPIRED


@pytest.mark.parametrize("counted_from", ["receipt", "first_use"])
@pytest.mark.parametrize("valid_ms", [None, DAY])
@pytest.mark.parametrize("uses", [None, 1, 3])
def test_any_combination_ends_with_the_limit_that_comes_first(
    counted_from: str, valid_ms: int | None, uses: int | None
) -> None:
    code = fresh(policy(counted_from=counted_from, valid_ms=valid_ms, uses=uses))
    opened = 0
    now_ms = ISSUED
    while opened < 20 and judge(code, now_ms) is Outcome.SUCCESS:
        code = use(code, now_ms)
        opened += 1
        now_ms += DAY // 5  # a day from the receipt, or from the first use, has five of these
    assert opened == min(uses or 20, 5 if valid_ms else 20)


@given(policies, st.lists(st.integers(0, 3 * DAY), max_size=12))
def test_a_code_never_opens_again_once_it_is_over(of: Policy, pauses: list[int]) -> None:
    code, now_ms, over = fresh(of), ISSUED, False
    for pause_ms in pauses:
        now_ms += pause_ms
        outcome = judge(code, now_ms)
        assert not (over and outcome is Outcome.SUCCESS)
        over = over or outcome is not Outcome.SUCCESS
        if outcome is Outcome.SUCCESS:
            code = use(code, now_ms)
    assert of.uses is None or code.used <= of.uses
