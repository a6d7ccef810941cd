"""How hard a code is to guess: the chance for a year of guesses, and the shortest length that is enough."""

from decimal import Decimal, localcontext

import pytest

from smsgw.domain.codes import Policy
from smsgw.domain.strength import chance_per_year, shortest


def policy(length: int, alphabet: str = "both", *, vowels: bool = True) -> Policy:
    return Policy(length=length, alphabet=alphabet, valid_ms=1, counted_from="receipt", uses=None, vowels=vowels)  # type: ignore[arg-type]  # parametrized


@pytest.mark.parametrize(
    ("of", "live", "a_day"),
    [(policy(4), 1, 1), (policy(4), 1_000, 10), (policy(8), 10_000, 1_000), (policy(5, "digits"), 3, 2)],
)
def test_it_is_the_chance_of_at_least_one_hit(of: Policy, live: int, a_day: int) -> None:
    space = {"both": 31, "digits": 8}[of.alphabet] ** of.length
    with localcontext(prec=60):
        exact = 1 - (1 - Decimal(live) / space) ** (a_day * 365)
    assert chance_per_year(of, live, a_day) == pytest.approx(float(exact), rel=1e-9)


def test_a_space_full_of_codes_is_guessed_at_once() -> None:
    assert chance_per_year(policy(4, "digits"), 8**4, 1) == 1.0
    assert chance_per_year(policy(4, "digits"), 8**4 + 1, 1) == 1.0


@pytest.mark.parametrize(
    ("alphabet", "vowels", "length"),
    [("both", True, 8), ("both", False, 9), ("letters", True, 9), ("letters", False, 10), ("digits", True, 13)],
)
def test_the_shortest_length_that_passes(alphabet: str, length: int, *, vowels: bool) -> None:
    found = shortest(policy(4, alphabet, vowels=vowels), 10_000, 1_000, 0.01)
    assert found == length
    assert chance_per_year(policy(length, alphabet, vowels=vowels), 10_000, 1_000) <= 0.01
    assert chance_per_year(policy(length - 1, alphabet, vowels=vowels), 10_000, 1_000) > 0.01


def test_sometimes_no_length_is_enough() -> None:
    assert shortest(policy(4, "digits"), 1_000_000_000, 10_000_000, 1e-9) is None
