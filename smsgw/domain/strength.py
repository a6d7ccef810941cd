"""How hard it is to guess a code: the chance of one lucky guess a year, for a policy and the limits on guessing.

Whoever guesses may try as often as the service's daily limit allows, from as many addresses as they like; each guess
meets one of the live codes with the probability live / space. With g guesses a year the chance of at least one hit is
1 - (1 - live / space) ^ g.
"""

from math import expm1, log1p

from smsgw.domain.codes import ALPHABETS, Policy

LONGEST = 16  # characters of a code
_DAYS = 365


def chance_per_year(policy: Policy, live_codes: int, failures_per_day: int) -> float:
    """Return the chance (0 to 1) that one of a year's guesses is a live code.

    Args:
        policy: length and alphabet.
        live_codes: how many codes of the service are good at once.
        failures_per_day: wrong guesses that the service allows a day, all visitors together.
    """
    space = len(ALPHABETS[policy.alphabet, policy.vowels]) ** policy.length
    if live_codes >= space:
        return 1.0
    return -expm1(failures_per_day * _DAYS * log1p(-live_codes / space))


def shortest(policy: Policy, live_codes: int, failures_per_day: int, most_chance: float) -> int | None:
    """Return the least length whose chance is within the bound; None when no code is long enough."""
    alphabet = len(ALPHABETS[policy.alphabet, policy.vowels])
    for length in range(4, LONGEST + 1):
        space = alphabet**length
        if live_codes < space and -expm1(failures_per_day * _DAYS * log1p(-live_codes / space)) <= most_chance:
            return length
    return None
